# syntax=docker/dockerfile:1
# larder alone, on a base without a shell, as a user without rights:
#   docker build --build-arg LARDER_REVISION="$(git rev-parse --short=12 HEAD)" --tag larder .
# The image changes no default: larder listens on loopback, as a sidecar in a pod wants it. Where others are to
# reach it, set LARDER_LISTEN=0.0.0.0:5273.

FROM rust:1.95-bookworm AS build
# The version of cmake is the release's; it makes no part of the binary.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends cmake \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /larder
COPY . .
ARG LARDER_REVISION=unknown
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/larder/target \
    cargo build --locked --release --bin larder \
    && install -D target/release/larder /image/larder \
    && install -D -m 0644 -t /image/doc LICENSE config/LICENSES.md \
    && install -d -m 0700 /image/answers

# glibc, as all tests and figures have it, and not static musl, whose allocator serves threads one by one. libc,
# libm, libgcc_s and the roots of the web's certificates are all that larder needs.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /image/larder /usr/local/bin/larder
COPY --from=build /image/doc /usr/share/doc/larder
# For LARDER_CACHE_DIR: a volume that is mounted here belongs to larder's user.
COPY --from=build --chown=65532:65532 /image/answers /var/lib/larder
EXPOSE 5273 5274
# It asks the admin listener where the settings say it is, with their token; there is no shell and no curl. It sees
# variables only, so a file of settings is named by LARDER_CONFIG.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --start-interval=1s \
    CMD ["larder", "stats", "--json"]
ENTRYPOINT ["larder"]
