FROM python:3.13-slim AS build
COPY . /source
RUN python -m venv /tinct && /tinct/bin/pip install --no-cache-dir "/source[formats]"

FROM python:3.13-slim
COPY --from=build /tinct /tinct
RUN useradd --create-home --uid 10001 tinct
USER 10001
ENV PATH=/tinct/bin:$PATH PYTHONDONTWRITEBYTECODE=1
EXPOSE 8642
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8642/healthz', timeout=4)"]
ENTRYPOINT ["tinct", "serve", "--host", "0.0.0.0"]
