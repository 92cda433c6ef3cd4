#!/bin/sh
# Runs Jaeger in the foreground, in memory alone and on this machine alone:
#   run.sh BINARY QUERY_PORT OTLP_GRPC_PORT OTLP_HTTP_PORT
# Jaeger opens eleven listeners, on all addresses unless told otherwise. What is not
# used here gets any free port of the loopback, and workers that read nothing.
set -eu
here=127.0.0.1
# Jaeger traces itself, and would send that to whoever has the usual port.
for name in $(env | sed -n 's/^\(OTEL_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
export OTEL_TRACES_SAMPLER=always_off SPAN_STORAGE_TYPE=memory
exec "$1" \
  --query.http-server.host-port="$here:$2" \
  --collector.otlp.grpc.host-port="$here:$3" \
  --collector.otlp.http.host-port="$here:$4" \
  --memory.max-traces=50000 \
  --query.enable-tracing=false \
  --query.grpc-server.host-port="$here:0" \
  --collector.grpc-server.host-port="$here:0" \
  --collector.http-server.host-port="$here:0" \
  --admin.http.host-port="$here:0" \
  --http-server.host-port="$here:0" \
  --processor.jaeger-binary.server-host-port="$here:0" --processor.jaeger-binary.workers=0 \
  --processor.jaeger-compact.server-host-port="$here:0" --processor.jaeger-compact.workers=0 \
  --processor.zipkin-compact.server-host-port="$here:0" --processor.zipkin-compact.workers=0 \
  --log-level=warn
