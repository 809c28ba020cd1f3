#!/bin/sh
# Bring a running stack to another image without failing a request:  QUETZAL_IMAGE=quetzalcore:1.2 ./upgrade.sh
#
# As many new gateways as there are old ones come up beside them; once those are ready, the old ones end what they
# answer and go. Then the master (running jobs go on) and the head (with Redis, its cluster outlives it) are replaced.
# The balancer stays: it has its own QUETZAL_BALANCER_IMAGE. COMPOSE and DOCKER say which programs to use.
set -eu
cd "$(dirname "$0")"
docker=${DOCKER:-docker}
compose=${COMPOSE:-"$docker compose"}
limit_s=${UPGRADE_LIMIT_S:-180}

healthy() {  # CONTAINER...
  left=$limit_s
  for container; do
    until [ "$($docker inspect -f '{{.State.Health.Status}}' "$container")" = healthy ]; do
      [ "$left" -gt 0 ] || { echo "$container is not healthy after $limit_s s: left as it is" >&2; exit 1; }
      left=$((left - 1)); sleep 1
    done
  done
}

old=$($compose ps -q gateway)
count=$(printf '%s\n' "$old" | grep -c .)
$compose up -d --no-deps --no-recreate --scale "gateway=$((2 * count))" gateway
new=$($compose ps -q gateway | grep -vF "$old")
healthy $new
for container in $old; do
  $docker stop --time 60 "$container"
  $docker rm "$container"
done
$compose up -d --no-deps --no-recreate --scale "gateway=$count" gateway
for role in head master; do
  $compose up -d --no-deps "$role"
  healthy $($compose ps -q "$role")
done
