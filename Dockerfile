# syntax=docker/dockerfile:1
# An image of larder alone: no shell, an unprivileged user. Build it with:
#   docker build --build-arg LARDER_REVISION="$(git rev-parse --short=12 HEAD)" --tag larder .
# The image changes no default: larder listens on loopback, which suits a sidecar in a pod. To accept connections from
# other hosts, set LARDER_LISTEN=0.0.0.0:5273.

FROM rust:1.95-bookworm AS rust

FROM rust AS build
WORKDIR /larder
COPY . .
ARG LARDER_REVISION=unknown
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/larder/target \
    cargo build --locked --profile dist --bin larder \
    && install -D target/dist/larder /image/larder \
    && install -d -m 0700 /image/answers

# The licences of the crates in the binary, with the notices that must be distributed with it. cargo is the one above.
FROM python:3.13-slim-bookworm AS licences
ENV CARGO_HOME=/usr/local/cargo RUSTUP_HOME=/usr/local/rustup PATH=/usr/local/cargo/bin:/usr/local/bin:/usr/bin:/bin
WORKDIR /larder
COPY . .
RUN --mount=type=bind,from=rust,source=/usr/local/rustup,target=/usr/local/rustup \
    --mount=type=bind,from=rust,source=/usr/local/cargo/bin,target=/usr/local/cargo/bin \
    --mount=type=cache,target=/usr/local/cargo/registry \
    cargo fetch --locked \
    && python3 tests/docs/licences.py /image/doc/LICENSES.md \
    && install -m 0644 -t /image/doc LICENSE

# glibc, as in all tests and measurements. The allocator of static musl serves one thread at a time. larder needs libc,
# libm, libgcc_s and root certificates.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /image/larder /usr/local/bin/larder
COPY --from=licences /image/doc /usr/share/doc/larder
# For LARDER_CACHE_DIR: a volume that is mounted here belongs to larder's user.
COPY --from=build --chown=65532:65532 /image/answers /var/lib/larder
EXPOSE 5273 5274
# The health check calls the configured admin listener with its token. The image has no shell and no curl. The check
# reads environment variables: name a configuration file with LARDER_CONFIG.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --start-interval=1s \
    CMD ["larder", "stats", "--json"]
ENTRYPOINT ["larder"]
