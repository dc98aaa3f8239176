# make app    the page with the bundled checkpoints         make test      lint, types and the quick tests
# make static the page without a server, built and served   make test-all  every test
# make audit  look up known vulnerabilities of the dependencies
# make clean  remove the virtual environment     ARGS="--port 8000" goes to the app, to pytest or to pip-audit

PYTHON ?= $(shell for name in python3.11 python3 python; do command -v $$name && break; done)
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: app static test test-all audit clean

app: .venv/app-installed
	$(BIN)/python app.py $(ARGS)

static: .venv/app-installed
	$(BIN)/python scripts/build_site.py build/site $(ARGS)
	$(BIN)/python -m http.server 8000 --bind 127.0.0.1 -d build/site

test: .venv/test-installed
	$(BIN)/python scripts/dev/check.py $(ARGS)

test-all: .venv/test-installed
	$(BIN)/python scripts/dev/check.py --all $(ARGS)

# pip-audit has its own environment, since the app does not depend on it. It looks up every installed package, also indirect
# dependencies, without the local part of a version ("+cpu"). --strict: a package that cannot be looked up is an error.
audit: .venv/test-installed .venv/audit/bin/pip-audit
	$(BIN)/python -m pip list --format freeze > .venv/audit/installed.txt
	sed 's/+.*//' .venv/audit/installed.txt > .venv/audit/requirements.txt
	.venv/audit/bin/pip-audit -r .venv/audit/requirements.txt --disable-pip --no-deps --strict $(ARGS)

.venv/audit/bin/pip-audit: | $(BIN)/python
	$(BIN)/python -m venv .venv/audit
	.venv/audit/bin/python -m pip install pip-audit==2.10.1

# A stamp newer than its list of requirements means that they are installed.
.venv/app-installed: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install -r requirements.txt
	@touch $@

.venv/test-installed: requirements-dev.txt .venv/app-installed
	$(BIN)/python -m pip install -r requirements-dev.txt
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo 'charrnn needs Python 3.11 or newer: make $(or $(MAKECMDGOALS),app) PYTHON=/path/to/python3.11' >&2; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

clean:
	rm -rf .venv
