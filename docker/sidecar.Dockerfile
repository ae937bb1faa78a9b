# The sidecar and the mock provider: one image, two binaries.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --locked --profile server -p tollgate-sidecar -p tollgate-mock \
    && cp target/server/tollgate-sidecar target/server/tollgate-mock /usr/local/bin/ \
    && mkdir /ledger

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /usr/local/bin/tollgate-sidecar /usr/local/bin/tollgate-mock /usr/local/bin/
COPY sidecar/sidecar.yaml /etc/tollgate/sidecar.yaml
# A volume that is mounted here belongs to the user that runs the sidecar.
COPY --from=build --chown=nonroot:nonroot /ledger /var/lib/tollgate
EXPOSE 10002
ENTRYPOINT ["/usr/local/bin/tollgate-sidecar"]
CMD ["serve", "--config", "/etc/tollgate/sidecar.yaml"]
