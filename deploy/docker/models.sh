#!/bin/sh
# Lays the models that come with this release into the shared folder. A site's own, and calibrations, stay as they are.
set -eu
models=${MRICORE_TRITON__MODELS:-/srv/mricore/models}
shipped=$(python3 -c 'import node; print(node.__path__[0])')/shipped/triton_models
cp -R "$shipped/." "$models/"
for card in "$models"/*/card.yaml; do echo "models: $(basename "$(dirname "$card")")"; done
