# The two commands of the README are `make demo` and `make test`; each sets up .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONUNBUFFERED := 1
# Threads that wait sleep instead of spinning: on a busy machine the tests are several times faster.
export OMP_WAIT_POLICY := PASSIVE
export GOMP_SPINCOUNT := 0

.PHONY: help setup demo test install-test studies-test mutants reliability check docs bundle label .studies label-server web gpu-wheels gpu clean

help: ## what each target does
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*##/ -/'

setup: $(VENV)/.installed ## virtual environment in .venv with the dependencies of the package, its extras and the tests

$(VENV)/.installed: pyproject.toml
	@echo "Setting up $(VENV): PyTorch 2.13.0, MONAI and the other dependencies (a few minutes, once)."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -c "import torch" 2>/dev/null || $(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; print('\n'.join(sorted({line for lines in (p['dependencies'], *(needed for extra, needed in p['optional-dependencies'].items() if extra != 'docs')) for line in lines if not line.startswith(p['name'])})))" > $(VENV)/requirements.txt
	$(BIN)/pip install --quiet -r $(VENV)/requirements.txt
	@touch $@

demo: setup ## synthetic cohort, short training, evaluation, a restored head: eval/demo/report.html
	$(BIN)/python -m scripts demo

test: setup ## the fast test suite
	$(BIN)/python -m pytest

install-test: setup ## the wheel and the bundles in environments of their own (minutes; needs a package index)
	$(BIN)/python -m pytest -m "install and not slow" tests/install

studies-test: setup ## tests of the measurements in scripts/studies, which nothing else needs
	$(BIN)/python -m pytest tests/studies

mutants: setup ## plausible mistakes, each of which a test must catch (FILES='scripts/latent/*' for some of them)
	$(BIN)/python tests/mutants.py $(if $(FILES),'$(FILES)')

N ?= 1
reliability: setup ## damaged files, killed processes, many volumes: docs/reliability.md (15 to 40 minutes on 2 cores; N=0.1 for a tenth)
	$(BIN)/python -m scripts.studies.reliability --n $(N)

check: setup ## formatting, lint, types, configs
	$(BIN)/pre-commit run --all-files

docs: .venv-docs/.installed ## the documentation as a site: build/docs/index.html (warnings are errors; no PyTorch needed)
	.venv-docs/bin/sphinx-build -q -W --keep-going docs build/docs

.venv-docs/.installed: pyproject.toml
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/pip install --quiet $$($(PYTHON) -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['docs'])")
	@touch $@

bundle: setup ## self-contained bundles in dist/, verified as the model zoo does; published/ has what a hub and the zoo would get
	$(BIN)/python bundle/build.py
	$(BIN)/python bundle/verify.py
	$(BIN)/python bundle/publish.py

label: bundle ## serve the built bundles in a real MONAI Label server and compare their answers with the command line
	bash tests/label/setup.sh .venv-label
	$(BIN)/python tests/label/serve.py .venv-label dist/*/

PORT ?= 8000
LABEL_APP := .venv-label/apps/monaibundle
.studies:
	@test -d "$(STUDIES)" || { echo "error: STUDIES='$(STUDIES)' is no folder: make label-server STUDIES=FOLDER, with the folder of your images."; exit 2; }

label-server: .studies bundle ## MONAI Label on 127.0.0.1 with the bundles, for 3D Slicer: STUDIES=FOLDER of images (4 GB, once)
	bash tests/label/setup.sh .venv-label
	test -d $(LABEL_APP) || PATH="$(CURDIR)/.venv-label/bin:$$PATH" monailabel apps --download --name monaibundle --output $(dir $(LABEL_APP))
	rm -rf $(LABEL_APP)/model && mkdir $(LABEL_APP)/model && cp -r dist/brain_mri_* $(LABEL_APP)/model/
	PATH="$(CURDIR)/.venv-label/bin:$$PATH" monailabel start_server --app $(LABEL_APP) --studies "$(STUDIES)" --host 127.0.0.1 --port $(PORT) \
		--conf models $$(ls $(LABEL_APP)/model | paste -sd,) --conf zoo_source local --conf sam2 false --conf skip_trainers true

web: setup ## the page that restores in a browser, in dist/web (needs npm): then brain-ae view FOLDER
	npm ci --prefix web --ignore-scripts --no-fund --no-audit
	npm run --prefix web --silent build -- ../dist/web
	$(BIN)/python -m scripts export brain_mri_restorer dist/web/model

GPU := build/gpu
WHEELS := monai==1.6.1:monai nibabel:nibabel pytorch-ignite:ignite fire:fire termcolor:termcolor tqdm:tqdm pytest:pytest pluggy:pluggy \
	iniconfig:iniconfig pygments:pygments packaging:packaging typing-extensions:typing_extensions importlib-resources:importlib_resources
# Of those, what a machine lacks; a wheel of Python alone is an archive that only has to be unpacked.
LACKING = from importlib.util import find_spec; import glob; words = "$(WHEELS)".split(); \
	names = [w.split(":")[0].split("==")[0].replace("-", "_") for w in words if find_spec(w.split(":")[1]) is None]; \
	print(*[path for name in names for path in glob.glob(f"$(GPU)/wheels/{name}-*.whl")])
DEVICE ?= cuda
gpu-wheels: setup ## what the next target needs, gathered in build/gpu: wheels of Python alone and a synthetic cohort (24 MB)
	$(BIN)/pip download --quiet --no-deps --only-binary :all: --dest $(GPU)/wheels $(foreach word,$(WHEELS),$(firstword $(subst :, ,$(word))))
	$(BIN)/python -c "from scripts.data.demo.cohort import ensure_demo_cohort; ensure_demo_cohort('$(GPU)/cohort')"

gpu: ## tests and speed on a machine with CUDA and PyTorch, without network, data or .venv: PYTHON=python3
	@test -d $(GPU)/cohort || { echo "error: $(GPU) is missing: run make gpu-wheels where there is a network, and bring it along."; exit 2; }
	rm -rf $(GPU)/packages && mkdir $(GPU)/packages
	for wheel in $$($(PYTHON) -c '$(LACKING)'); do $(PYTHON) -m zipfile -e $$wheel $(GPU)/packages; done
	PYTHONPATH=$(GPU)/packages $(PYTHON) -m pytest -m gpu $$(grep -rl --include="test_*.py" mark.gpu tests)
	PYTHONPATH=$(CURDIR)/$(GPU)/packages $(PYTHON) -m scripts.studies.speed --quick true --device $(DEVICE) --dataset_dir $(GPU)/cohort --output_dir eval/gpu

clean: ## remove what was built (not .venv)
	rm -rf build dist published eval models .pytest_cache .mypy_cache .ruff_cache
