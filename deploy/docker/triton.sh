#!/bin/sh
# tritonserver for a node: gRPC alone, and everything but inference and health behind a token.
# MRICORE_FLAVOUR=cpu serves ONNX Runtime instead of TensorRT plans.
set -eu
models=${MRICORE_MODELS:-/srv/mricore/models}
token=$(tr -d '\r\n' < "${MRICORE_TRITON_TOKEN_FILE:?the file that holds the token}")
[ -n "$token" ] || { echo "triton.sh: $MRICORE_TRITON_TOKEN_FILE is empty" >&2; exit 2; }
set -- \
  --model-repository="$models" \
  --model-control-mode=explicit --load-model='*' --exit-on-error=false --disable-auto-complete-config \
  --allow-metrics=false \
  --http-address=127.0.0.1 --http-port=8000 \
  --http-restricted-api="model-repository,model-config,shared-memory,statistics,trace,logging:token=$token" \
  --grpc-address=0.0.0.0 --grpc-port=8001 \
  --grpc-restricted-protocol="model-repository,model-config,shared-memory,statistics,trace,logging:token=$token" \
  --log-format=ISO8601
if [ "${MRICORE_FLAVOUR:-gpu}" = cpu ]; then
  set -- "$@" --model-config-name=cpu
fi
exec tritonserver "$@"
