# make demo   install what is missing, bring up a club of real servers, sign two members up
# make test   lint, types, unit tests, end-to-end tests
.PHONY: install demo test lint unit e2e clean

PYTHON := .venv/bin/python
TEST_DIR := .sandbox-test

install:
	@sh sandbox/install.sh

demo: install
	@$(PYTHON) -m sandbox.demo

test: lint unit e2e

lint: install
	@echo "==> ruff"; .venv/bin/ruff check --quiet .
	@echo "==> mypy"; .venv/bin/mypy --no-error-summary ceo ceod ceo_common sandbox tests

unit: install
	@echo "==> unit tests"; .venv/bin/pytest tests --ignore tests/e2e --ignore tests/faults

e2e: install
	@echo "==> end-to-end tests, in a sandbox of their own"
	@$(PYTHON) -m sandbox --dir $(TEST_DIR) test -- tests/e2e tests/faults

clean:
	rm -rf build .cache .mypy_cache .ruff_cache .hypothesis $(TEST_DIR)
