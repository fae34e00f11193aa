# make demo   install what is missing, bring up a club of real servers, sign two members up
# make clean  stop the sandboxes and remove what was made, except .venv
# make test   lint, types, unit tests, and the end-to-end tests in sandboxes side by side
# make man    the manual pages, into build/man
# make pictures   README's pictures of the menu, into docs/pictures
# make bench  ceod and ceo beside their bare floors, among twenty thousand members and fifty thousand books; no part of make test
# make soak   five thousand accounts expire while ceod is killed twice, five hundred are imported while ceo is; no part of make test
# make monkey SEED=7 SECONDS=780   six clients do what they like while something breaks every few
#             seconds; then every server is compared with what they were told; no part of make test
.PHONY: install demo man pictures test lint unit sandbox e2e commands menu crash faults hostile bench soak monkey clean

# Several of these run at once: each line is printed whole and says whose it is.  What prints lives on after Ctrl-C, until the last word.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
AS_ONE = 2>&1 | (trap '' INT TERM; exec sed -u 's/^/$@: /')

PYTHON := .venv/bin/python
TEST_DIR := .sandbox-test

install:
	@sh sandbox/install.sh

demo: install
	@$(PYTHON) -m sandbox.demo

man: install
	@$(PYTHON) -m ceo.manual build/man

pictures: install
	@$(PYTHON) -m sandbox --dir $(TEST_DIR)/$@ up
	@$(PYTHON) -m sandbox --dir $(TEST_DIR)/$@ shell root -- $(PYTHON) -m docs.pictures; status=$$?; \
		$(PYTHON) -m sandbox --dir $(TEST_DIR)/$@ down; exit $$status

# Four at a time, the longest first: much of the time is waiting, for servers that are frozen and for screens.
test:
	@$(MAKE) --no-print-directory --jobs=4 faults menu e2e crash commands hostile unit sandbox lint

lint: install
	@.venv/bin/ruff check --quiet . $(AS_ONE)
	@.venv/bin/mypy --no-error-summary ceo ceod ceo_common sandbox tests $(AS_ONE)
	@echo "$@: nothing found"

IN_SANDBOXES := e2e commands menu crash faults hostile sandbox bench soak monkey
unit: install
	@.venv/bin/pytest tests $(IN_SANDBOXES:%=--ignore tests/%) $(AS_ONE)

# From outside: it brings its own sandboxes up and down.
sandbox: install
	@.venv/bin/pytest tests/sandbox $(AS_ONE)

# The quiet ones, those of the command line, those in the menu, those that end operations in the
# middle, those that freeze, stop and kill servers, those that attack.
e2e commands menu crash faults hostile: install
	@$(PYTHON) -m sandbox --dir $(TEST_DIR)/$@ test -- tests/$@ $(AS_ONE)

bench soak: install
	@$(PYTHON) -m sandbox --dir $(TEST_DIR)/$@ test -- tests/$@

SEED := 1
SECONDS := 780
monkey: install
	@$(PYTHON) -m sandbox --dir $(TEST_DIR)/$@ test -- tests/$@ --seed $(SEED) --seconds $(SECONDS)

# Sandboxes that are still up are stopped first: their servers would go on without their files.
clean:
	@for club in .sandbox .sandbox-demo $(TEST_DIR)/*; do [ ! -e $$club/lock ] || $(PYTHON) -m sandbox --dir $$club down || exit 1; done
	rm -rf build .cache .mypy_cache .ruff_cache .hypothesis .sandbox .sandbox-demo $(TEST_DIR)
