#!/bin/sh
# Make the secrets of the stack, each at random; what is there already stays.
#   ./make-secrets.sh [FOLDER]
set -eu
folder=${1:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$folder"
chmod 700 "$folder"  # nobody else of this host gets in; the files are readable, because containers have other users

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
keep() {  # NAME: write standard input there unless it exists
  if [ -s "$folder/$1" ]; then cat >/dev/null; return; fi
  cat >"$folder/.$1.new"
  chmod 444 "$folder/.$1.new"
  mv "$folder/.$1.new" "$folder/$1"
}

random | keep postgres_password
random | keep redis_password
random | keep secret_key
printf 'postgresql://quetzal:%s@postgres/quetzal' "$(cat "$folder/postgres_password")" | keep database_url
printf 'redis://:%s@redis:6379' "$(cat "$folder/redis_password")" | keep redis_url
printf 'requirepass %s\ndir /data\nappendonly yes\nprotected-mode yes\n' "$(cat "$folder/redis_password")" | keep redis_conf
