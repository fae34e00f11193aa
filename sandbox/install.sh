#!/bin/sh
# Make this checkout ready on Debian 12: apt packages, the virtual environment .venv, the Kerberos bindings.
# It does only what is missing, so a second run takes a moment.
set -eu
# Neither an ordinary user nor root after plain `su` has the sbin directories in their PATH.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
export PATH
cd "$(dirname "$0")/.."

fail() { printf 'install: %s\n' "$*" >&2; exit 1; }
say() { printf '==> %s\n' "$*"; }

[ -r /etc/debian_version ] || fail "this is not Debian; install the packages of sandbox/packages.txt by hand, then run it again."

missing=""
for package in $(cat sandbox/packages.txt); do
    case "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)" in
        *" installed") ;;
        *) missing="$missing $package" ;;
    esac
done

if [ -n "$missing" ]; then
    # The servers are wanted as programs for the sandbox, never as services of this machine.
    script="$PWD/sandbox/apt-without-services.sh"
    as_root=""
    if [ "$(id -u)" != 0 ]; then
        as_root="sudo"
        # sudo -v asks for a password as soon as one rule of sudoers wants one, although another rule does not.
        { command -v sudo >/dev/null && { sudo -n true 2>/dev/null || sudo -v; }; } || fail "Debian packages are missing, and you can't install them with sudo." \
            "Ask an administrator to run this as root, then run make again:
  sh $script$missing"
    fi
    mkdir -p .cache
    log=.cache/apt.log
    say "Installing $(echo $missing | wc -w) Debian packages with apt; its log is $log"
    $as_root sh "$script" $missing > "$log" 2>&1 || {
        tail -n 20 "$log" >&2
        fail "apt could not install the packages. The end of its log is above; the whole log is $log."
    }
fi

if [ ! -x .venv/bin/python ]; then
    say "Making the virtual environment .venv"
    rm -rf .venv
    # Debian's own interpreter: one below somebody's private home could not be run by the club's users.
    /usr/bin/python3 -m venv .venv || fail "python3 -m venv failed; is python3-venv installed?"
fi

stamp=.venv/installed
wanted=$(cat requirements.txt dev-requirements.txt setup.py pyproject.toml sandbox/install.sh | sha256sum)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
    say "Installing Python packages into .venv"
    .venv/bin/pip install --quiet --disable-pip-version-check --use-pep517 -r requirements.txt -r dev-requirements.txt ||
        fail "pip could not install requirements.txt; is the network there?"
    .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --config-settings editable_mode=compat --editable . ||
        fail "pip could not install ceo itself (its messages are above)."
    echo "$wanted" > "$stamp"
fi

bindings=$(ls ceo_common/krb5/_krb5*.so 2>/dev/null | head -n 1)
if [ -z "$bindings" ] || [ ceo_common/krb5/krb5_build.py -nt "$bindings" ]; then
    say "Compiling the Kerberos bindings"
    (cd ceo_common/krb5 && ../../.venv/bin/python krb5_build.py >/dev/null) || fail "the Kerberos bindings did not compile."
fi

# Inside the sandbox nothing writes byte code, so it is made here: each ceod starts in half the time.
.venv/bin/python -m compileall -q ceo ceod ceo_common sandbox
