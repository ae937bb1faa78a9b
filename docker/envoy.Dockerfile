# Envoy with the filter and the demo's configuration.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN rustup target add wasm32-wasip1
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --locked --release --target wasm32-wasip1 -p tollgate \
    && cp target/wasm32-wasip1/release/tollgate.wasm /tollgate.wasm

FROM envoyproxy/envoy:v1.40.0
WORKDIR /etc/tollgate
COPY --from=build /tollgate.wasm target/wasm32-wasip1/release/tollgate.wasm
COPY envoy envoy
# The demo's file listens on the loopback interface and finds its neighbours there: docker-compose.yml uses the
# host's network, so that the file runs unchanged.
CMD ["envoy", "-c", "envoy/envoy.yaml", "--concurrency", "2"]
