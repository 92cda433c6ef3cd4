# syntax=docker/dockerfile:1

# Build: a static binary with the time zones and the default policy inside.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.release=${VERSION}" -o /out/amends ./cmd/amends

# Run: no shell, no package manager, not root.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/amends /usr/local/bin/amends
USER nonroot:nonroot
EXPOSE 7070 7071
# Inside a container the loopback addresses reach nobody. So the service starts
# with a certificate (AMENDS_TLS_CERT, AMENDS_TLS_KEY, AMENDS_ACCESS), or when it
# is told that calls may come in the clear (AMENDS_INSECURE=true). 7071 has
# metrics and health for operators; publish either port only to who may use it.
ENV AMENDS_LISTEN=0.0.0.0:7070 AMENDS_OPS_LISTEN=0.0.0.0:7071
# For calls in the clear; with a certificate, say --ca, --cert and --key as well.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/usr/local/bin/amends", "health", "--server", "127.0.0.1:7070"]
ENTRYPOINT ["/usr/local/bin/amends"]
CMD ["serve"]
