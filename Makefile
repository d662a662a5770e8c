# Everything a newcomer needs: `make demo` shows the product, `make test` proves it.
# Both make their own virtual environment first; neither needs root, a cluster or a router.
VENV := .venv
PY   := $(VENV)/bin/python
# A file of tests runs in one process, which waits for routers for half of its time. More of them than this
# would keep each other's deadlines waiting.
AT_ONCE := $(shell n=$$(nproc 2>/dev/null || echo 1); echo $$((n < 4 ? n + 1 : 5)))

.PHONY: pictures dist image image-files image-tree lock demo test bench matrix stacks traffic drills interleavings mutants fuzz lint completions clean

$(VENV)/.installed: pyproject.toml
	@echo "making $(VENV) with what bgpctl needs; once, about a minute"
	@python3 -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

# STACK=cilium, calico, frr-k8s or kube-router: on nodes whose BGP another stack runs, emulated
# (`bgpctl lab demo --help`).
demo: $(VENV)/.installed
	@$(VENV)/bin/bgpctl lab demo $(if $(STACK),--stack $(STACK))

# Those that measure a promised time run by themselves, after the rest. 5: ARGS select none of this pass.
test: $(VENV)/.installed
	@echo "running $(if $(ARGS),$(ARGS),all tests, 20 to 40 minutes on two cores (ARGS=tests/unit: 3)); $(AT_ONCE) files at once"
	@$(PY) -m pytest -q -n $(AT_ONCE) --dist loadfile --no-loadscope-reorder -m "not alone" $(ARGS) || test $$? -eq 5
	@echo "and those of them that have to run alone"
	@$(PY) -m pytest -q -m alone $(ARGS) || test $$? -eq 5

bench: $(VENV)/.installed
	@$(PY) -m tests.bench $(ARGS)

# What real routers do to a node's routes, against the estimate: root, and the routers that are installed.
matrix: $(VENV)/.installed
	@$(PY) -m tests.matrix $(ARGS)

# A drain and a restore on every stack, whatever happens on the way: hours. ARGS='--points 3': part of the kills.
stacks: $(VENV)/.installed
	@$(PY) -m tests.stacks $(ARGS)

# Requests that are lost while a node leaves and comes back, stack by stack: root. ARGS=--write: docs/traffic.md.
traffic: $(VENV)/.installed
	@$(PY) -m tests.traffic $(ARGS)

# The operation guide's failures at every router, against their forecast: root, half an hour. ARGS=--write:
# docs/operation-guide.md.
drills: $(VENV)/.installed
	@$(PY) -m tests.drills $(ARGS)

# Runs of bgpctl among second writers that act between any two requests: 20,000 (CI: 1,500).
interleavings: $(VENV)/.installed
	@BGPCTL_INTERLEAVINGS=20000 $(PY) -m pytest -q tests/interleaving $(ARGS)

# Which changes of a line would no test notice? ARGS='--sample 150 --seed TEXT' for a part of it.
mutants: $(VENV)/.installed
	@$(PY) -m tests.mutants $(ARGS)

# A million broken inputs for every parser of what others wrote. ARGS: how many, the seed, one target's name.
fuzz: $(VENV)/.installed
	@$(PY) -m tests.fuzz $(ARGS)

# docs/pictures: a drain and a restart on the wire, drawn from a real run: root, FRR.
pictures: $(VENV)/.installed
	@$(PY) -m tests.pictures $(ARGS)

# A release, in dist/: wheel, sdist, and for krew an archive per platform with its manifest. URL: where they will be.
dist: $(VENV)/.installed
	@$(PY) -m tests.dist $(if $(URL),--url $(URL)) $(ARGS)

lint: $(VENV)/.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# The container image, by docker, podman or buildah, whichever is there. IMAGE=REGISTRY/NAME:TAG.
IMAGE ?= bgpctl:$(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' bgpctl/__init__.py)
BUILDER := $(shell command -v docker || command -v podman || command -v buildah)
image:
	@test -n "$(BUILDER)" || { echo "none of docker, podman and buildah is here; make image-tree builds the same files"; exit 2; }
	$(BUILDER) build -t $(IMAGE) .

# What it has besides Debian's Python, below DEST: bgpctl without its lab, and what it needs, by their hashes.
image-files:
	@test -n "$(DEST)" || { echo "DEST=DIRECTORY is missing"; exit 2; }
	PIP_CONFIG_FILE=/dev/null PIP_ROOT_USER_ACTION=ignore /usr/bin/python3 -m pip install -q --no-compile --no-deps --target $(DEST)/opt/bgpctl .
	PIP_CONFIG_FILE=/dev/null PIP_ROOT_USER_ACTION=ignore /usr/bin/python3 -m pip install -q --no-compile --no-deps --require-hashes --target $(DEST)/opt/bgpctl -r requirements.lock
	rm -rf $(DEST)/opt/bgpctl/bgpctl/lab build
	/usr/bin/python3 -m compileall -q --invalidation-mode unchecked-hash -x 'kubernetes/client|aiohttp|pydantic' -s $(DEST) $(DEST)/opt/bgpctl

# The same files where nothing can build an image: run from a directory, read-only, by nobody (root).
image-tree: $(VENV)/.installed
	@$(PY) -m tests.image $(ARGS)

lock: $(VENV)/.installed
	$(PY) -m pip install --quiet uv
	$(PY) -m uv pip compile pyproject.toml --python-version 3.11 --universal --generate-hashes --no-header -q -o requirements.lock

# The scripts of shells and the manual pages, from the commands as they are.
completions: $(VENV)/.installed
	@$(PY) -m tests.completions

clean:
	rm -rf $(VENV) *.egg-info .mypy_cache .ruff_cache .pytest_cache
