#!/bin/sh
# apt-get install PACKAGE... as root, with no service started or enabled that was not there before.
set -eu
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" # plain `su` leaves them out, and dpkg refuses to work without them
export PATH
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
scratch=$(mktemp -d)

units() { find /etc/systemd/system /etc/rc?.d -type l -name '*' 2>/dev/null | sort; }

restore() {
    status=$?
    trap - EXIT INT TERM HUP
    if [ -e "$scratch/policy" ]; then cp -a "$scratch/policy" "$policy"; else rm -f "$policy"; fi
    units > "$scratch/after"
    comm -13 "$scratch/before" "$scratch/after" | while read -r link; do
        case "$link" in
            /etc/systemd/system/*) rm -f "$link" ;;
            */S[0-9][0-9]*) update-rc.d "$(basename "$link" | cut -c4-)" disable >/dev/null 2>&1 || true ;;
        esac
    done
    rm -rf "$scratch"
    exit "$status"
}

units > "$scratch/before"
# A file of ours that a killed run left behind is not the administrator's.
if [ -e "$policy" ] && ! grep -q 'left by the ceo installer' "$policy"; then cp -a "$policy" "$scratch/policy"; fi
trap restore EXIT
trap 'exit 1' INT TERM HUP
printf '#!/bin/sh\n# left by the ceo installer if it was killed: remove it\nexit 101\n' > "$policy"
chmod 755 "$policy"

apt-get -q update || echo "apt-get update failed: going on with the lists that are here" >&2
apt-get -q -y install --no-install-recommends "$@"
