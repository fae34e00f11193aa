#!/bin/sh
# ./gen_cred.sh HOST: write your ticket, forwarded for ten minutes, to the file `cred`, for
#   curl -H "X-KRB5-CRED: $(cat cred)" ...
# It is as good as your password for those ten minutes: the file is yours alone, and ceod takes it over TLS alone.
set -eu
if [ $# != 1 ]; then echo "usage: ./gen_cred.sh HOST" >&2; exit 2; fi
here=$(dirname "$(readlink -f "$0")")
python=$here/.venv/bin/python
[ -x "$python" ] || python=python3
PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH} exec "$python" -m ceo.gen_cred "$1"
