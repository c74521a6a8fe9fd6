#!/bin/sh
# Builds the TensorRT plan of each model that has none of these weights, this GPU and this server. Says how far it is.
set -eu
models=${MRICORE_MODELS:-/srv/mricore/models}
state=${MRICORE_PLANS_STATE:-/tmp/plans}
whole=0
for card in "$models"/*/card.yaml; do [ -f "$card" ] && whole=$((whole + 1)); done
[ "$whole" -gt 0 ] || { echo "plans: no model in $models" >&2; exit 2; }
done_=0
for card in "$models"/*/card.yaml; do
  folder=$(dirname "$card")
  name=$(basename "$folder")
  done_=$((done_ + 1))
  echo "building $done_ of $whole: $name" > "$state"
  if grep -qs "\"triton\": \"${TRITON_SERVER_VERSION:-unknown}\"" "$folder"/*/plan.json && mricore-node models verify "$folder"; then
    echo "plans: $done_ of $whole: $name is up to date"
    continue
  fi
  echo "plans: $done_ of $whole: building $name (minutes; trtexec tells below)"
  # shellcheck disable=SC2086 # options, where a site has some
  mricore-node models build "$folder" ${MRICORE_PLAN_OPTIONS:-}
done
echo "ready" > "$state"
echo "plans: $whole of $whole are ready"
