# bgpctl as an image: Debian's Python, bgpctl without its lab, and its dependencies by their hashes. No shell, no
# package manager, no compiler; it runs as nobody on a read-only root. `make image` builds it; `make image-tree`
# runs the same files where nothing can.
FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip make
WORKDIR /source
COPY . .
RUN make image-files DEST=/image

FROM gcr.io/distroless/python3-debian12:nonroot
COPY --from=build /image/opt/bgpctl /opt/bgpctl
ENV PATH=/opt/bgpctl/bin:/usr/bin:/bin PYTHONPATH=/opt/bgpctl PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
ENTRYPOINT ["bgpctl"]
