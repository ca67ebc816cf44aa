# Everything a person types. Each target makes what it needs.
PYTHON ?= python3
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt

# Tests start hundreds of processes: where bytecode is not kept, each compiles all sources again.
export PYTHONDONTWRITEBYTECODE =

.PHONY: serve install test test-nodes nodes-that-fail nodes-answer lint wheel image audit check torture bench pictures shape clean

serve: .venv/.runtime ## Run the server on 127.0.0.1:8080, data in ./tallystick-data
	$(BIN)/tallystick serve

install: .venv/.runtime ## Create .venv and install the server in it

# Tests wait for processes, packages and clocks: three at once keep two cores busy.
PROCESSES ?= 3
# Their stores sync whatever they write: in memory, where there is room for 3 GB, that waits for no disk.
TESTS_IN := $(shell [ "$$(df --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt 3000000 ] 2>/dev/null && echo /dev/shm)
test: .venv/.dev ## All tests, PostgreSQL and the published clients included; PROCESSES=2 for fewer at once
	PYTEST_DEBUG_TEMPROOT=$(TESTS_IN) $(BIN)/python -m pytest --numprocesses=$(PROCESSES) --dist=loadfile
	$(MAKE) test-nodes

# The shared warehouse has the newest DuckDB for which its extensions exist, in an environment of its own. There the
# tests of the embedded one run on both, with few generated examples.
NODES := PYTEST_DEBUG_TEMPROOT=$(TESTS_IN) TALLYSTICK_TEST_EXAMPLES=3 .venv-nodes/bin/python -m pytest \
	--numprocesses=2 --dist=loadfile
VISITS := visits_are_what_hits_say a_judged_visit_that_is_gone_is_not_entered_any_more a_move_that_fails_changes_no_visit
APPENDING := every_field_is_stored_as_it_came nothing_given_is_empty_not_null a_write_that_raises_changes_nothing \
	an_append_larger_than_a_transaction a_file_of_a_newer_program_is_refused_and_left_alone
ON_BOTH := tests/questions/test_oracle.py \
	$(addprefix tests/warehouse/test_,aggregates.py left_out.py reading.py reports.py sessions.py) \
	$(addprefix tests/warehouse/test_visits.py::test_,$(VISITS)) \
	$(addprefix tests/warehouse/test_appending.py::test_,$(APPENDING))
ON_LAKE := $(ON_BOTH) $(addprefix tests/questions/test_,funnels.py marking.py sums.py)
test-nodes: .venv-nodes/.dev ## The shared warehouse's tests, and those of both on its version of DuckDB
	$(MAKE) --jobs=2 --output-sync=target nodes-that-fail nodes-answer

# At once: nodes that fail are mostly waited for, and the embedded warehouse answers beside them. Lakes take longest.
nodes-that-fail:
	$(NODES) tests/lake $(ON_BOTH)

nodes-answer:
	TALLYSTICK_TEST_WAREHOUSE=lake $(NODES) $(ON_LAKE)

lint: .venv/.dev ## Format, lint, import rules, class names, types
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports
	$(BIN)/python tools/check_names.py
	$(BIN)/mypy

wheel: .venv/.dev ## Build the wheel twice, install it in a clean environment, write the SBOM and run it
	$(BIN)/python tools/check_wheel.py

audit: .venv/.audit ## Ask the Python Package Index for known weaknesses of the pinned versions; needs a connection to it
	@$(BIN)/pip-audit --strict --disable-pip --no-deps --progress-spinner=off --requirement constraints.txt || \
		{ echo "audit: failed. There are weaknesses above, or packages that could not be looked up: this machine then does" \
		"not reach the index and its advisories (a mirror has none), and nothing is said about them."; exit 1; }

image: .venv/bin/python ## Carry out the steps of deploy/Dockerfile without Docker, and run the result; as root
	$(BIN)/python tools/check_image.py

check: lint wheel image test ## Everything that must hold before a change lands

SEED ?= 1
torture: .venv/.dev .venv-nodes/.dev ## Every fault against every endpoint, and on three nodes, about 20 minutes, as root; SEED=7 for another run
	TORTURE_SEED=$(SEED) $(BIN)/python -m pytest --numprocesses=2 tests/torture/all_faults.py
	TORTURE_SEED=$(SEED) .venv-nodes/bin/python -m pytest tests/torture/all_nodes.py

bench: .venv/.bench ## Measure, about 32 minutes; needs wrk and Chromium (Debian: apt-get install wrk chromium)
	$(BIN)/python benchmarks/inside.py
	$(BIN)/python benchmarks/counting.py
	$(BIN)/python benchmarks/million.py
	$(BIN)/python benchmarks/pageviews.py
	$(BIN)/python benchmarks/reporting.py
	$(BIN)/python benchmarks/questions.py
	$(BIN)/python benchmarks/dashboard.py
	$(BIN)/python benchmarks/pressing.py
	$(BIN)/python benchmarks/beside.py
	$(BIN)/python benchmarks/moving.py
	$(BIN)/python benchmarks/sharing.py
	$(BIN)/python benchmarks/live.py
	$(BIN)/python benchmarks/idle.py
	$(BIN)/python benchmarks/ledger.py

pictures: .venv/.dev ## Make the pictures of docs/pictures again; those of all pages are in build/screenshots
	TALLYSTICK_TEST_PICTURES=1 $(BIN)/python -m pytest tests/surfaces/dashboard/test_every_page_in_browser.py
	$(BIN)/python tools/make_pictures.py
	$(BIN)/python tools/make_badge_pictures.py

shape: .venv/.dev ## Sizes of files and functions, to see what grows
	$(BIN)/python tools/shape.py

clean: ## Remove the environment; data stays
	rm -rf .venv .venv-nodes

# Python brings an older pip, which takes twice as long to choose among all releases of a hundred packages.
.venv/bin/python:
	$(PYTHON) -m venv .venv
	$(PIP_INSTALL) --upgrade pip

.venv/.runtime: .venv/bin/python pyproject.toml constraints.txt
	$(PIP_INSTALL) --editable .
	touch $@

.venv/.dev: .venv/bin/python pyproject.toml constraints.txt
	$(PIP_INSTALL) --editable '.[dev]'
	touch $@ .venv/.runtime

# What both need lies in .venv: this one stands before it with what differs, and is there in a third of the time.
.venv-nodes/.dev: .venv/.dev constraints-nodes.txt
	$(PYTHON) -m venv --clear --without-pip .venv-nodes
	echo "import site; site.addsitedir('$$(ls -d $(CURDIR)/.venv/lib/python3*/site-packages)')" \
		>$$(ls -d .venv-nodes/lib/python3*/site-packages)/beneath.pth
	sed 's/^/^/; s/==.*/==/' constraints-nodes.txt >.venv-nodes/others.txt
	grep -vf .venv-nodes/others.txt constraints.txt | cat - constraints-nodes.txt >.venv-nodes/constraints.txt
	$(BIN)/python -m pip --python .venv-nodes/bin/python install --quiet --constraint .venv-nodes/constraints.txt \
		--editable '.[nodes]' 'moto[s3]' flask flask-cors
	touch $@

.venv/.audit: .venv/.dev
	$(PIP_INSTALL) --editable '.[audit]'
	touch $@

.venv/.bench: .venv/.dev
	$(PIP_INSTALL) --editable '.[bench]'
	touch $@
