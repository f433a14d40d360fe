# headlint's image: both programs, and nothing else.
#
#   docker build --tag registry.example.com/headlint:0.1.0 .
#
# `make image` builds the same without Docker: its own build takes the place of
# the first stage.
FROM rust:1.95-bookworm AS programs
WORKDIR /tree
COPY . .
RUN make build && mv target/release/headlint target/release/headlint-webhook /

FROM scratch
LABEL org.opencontainers.image.title="headlint" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.description="Finds what is wrong with headless Services, in manifests and in front of an API server" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=programs headlint headlint-webhook /usr/bin/
# Somebody without rights, of whom no file has to tell.
USER 65532:65532
EXPOSE 8443 8080
ENTRYPOINT ["/usr/bin/headlint-webhook"]
