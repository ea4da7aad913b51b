# The BIDS app (docs/bids.md):
#   docker build -t brain-ae .
#   docker run --rm -v BIDS_DIR:/data:ro -v OUT:/out brain-ae /data /out participant
# Everything that it needs at run time is inside: it opens no connection. On a CPU; for a GPU, build with
#   --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130
FROM python:3.12-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /opt/brain-ae
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY docs/data_license.txt docs/
COPY configs configs
COPY bundle bundle
COPY scripts scripts
# the versions that the bundle was tested with
RUN python -c "import json; m = json.load(open('configs/metadata.json')); print('\n'.join(f'{name}=={version}' for name, version in {'torch': m['pytorch_version'], 'monai': m['monai_version'], 'numpy': m['numpy_version'], **m['required_packages_version'], **m['optional_packages']}.items()))" > constraints.txt
RUN pip install --no-cache-dir --constraint constraints.txt --extra-index-url "$TORCH_INDEX" ".[speed,train,report]"
ENV MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /tmp
ENTRYPOINT ["brain-ae", "bids"]
