# Everything from a fresh clone: make, make demo, make test. Each step leaves a stamp, so a second run starts at once.
#
# With ROS 2 sourced its rclpy and messages are used; without, ROS 2 comes from PyPI as wheels into .venv.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

VENV := .venv
BIN := $(VENV)/bin
OUT ?= out/demo
APT := cmake g++ git libegl1 libgl1 libusb-1.0-0 make python3-dev python3-venv
SOURCES := $(shell find action config hoi_ros launch msg rviz -type f -not -name '*.pyc')

ifdef ROS_DISTRO
  PYTHON ?= /usr/bin/python3
  VENV_FLAGS := --system-site-packages
  REQUIREMENTS := requirements/runtime.txt requirements/test.txt
  COLCON := colcon
  IN_WORKSPACE := set +u; source install/setup.bash; set -u;
else
  PYTHON ?= $(firstword $(foreach v,3 3.11 3.12,$(shell python$(v) -c \
    'import sys; (3, 11) <= sys.version_info < (3, 13) and print("python$(v)")' 2>/dev/null)))
  REQUIREMENTS := requirements/runtime.txt requirements/ros.txt requirements/test.txt
  COLCON := AMENT_PREFIX_PATH=$(CURDIR)/$(VENV) CMAKE_PREFIX_PATH=$(CURDIR)/$(VENV) $(BIN)/colcon
endif

.PHONY: help build demo test fuzz lint peers recording clean apt

help:  ## What can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

build: build/.stamp  ## System packages, .venv and the colcon workspace

demo: build  ## The embedded recording through the nodes, then pictures in OUT=out/demo
	$(IN_WORKSPACE) $(BIN)/hoi demo --out $(OUT)

test: build  ## Every test
	$(IN_WORKSPACE) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

fuzz: build  ## Every property on new examples
	$(IN_WORKSPACE) HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest -n 2 --dist loadfile -m hypothesis $(ARGS)

lint: $(VENV)/.stamp  ## Style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy hoi_ros tools

recording: out/recording/rendered.mcap  ## The rendered recording with full ground truth that scenarios use

out/recording/rendered.mcap: | build
	$(IN_WORKSPACE) $(BIN)/python tools/render_evaluation_bag.py --out $@

peers: .venv-peers/.stamp  ## What `hoi benchmark` measures against, in an environment of its own

# It sees this checkout and what .venv holds behind its own packages.
.venv-peers/.stamp: requirements/peers.txt $(VENV)/.stamp
	$(PYTHON) -m venv .venv-peers
	printf '%s\n' $(CURDIR) $(CURDIR)/$(VENV)/lib/python*/site-packages > \
	  "$$(.venv-peers/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/hoi_ros.pth"
	.venv-peers/bin/pip install -q --disable-pip-version-check -r requirements/peers.txt
	touch $@

clean:  ## Remove everything that was made
	rm -rf build install log out $(VENV) .venv-peers

apt:
	@missing=$$(for p in $(APT); do dpkg-query -Wf '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ] && command -v apt-get >/dev/null; then \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive \
	    apt-get install -qy --no-install-recommends $$missing; \
	fi
	@# The report's test looks at it in a browser where there is one; it is skipped without.
	@if [ "$$(. /etc/os-release; echo $$ID)" = debian ] && ! command -v chromium >/dev/null; then \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends chromium || true; \
	fi

$(VENV)/.stamp: constraints.txt $(REQUIREMENTS) tools/fix_ros_wheels.py | apt
	@[ -n "$(PYTHON)" ] || { echo 'CPython 3.11 or 3.12 is needed: make PYTHON=/path/to/python3.12' >&2; exit 1; }
	[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV_FLAGS) $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt $(REQUIREMENTS:%=-r %)
	$(BIN)/python tools/fix_ros_wheels.py
	touch $@

build/.stamp: $(VENV)/.stamp CMakeLists.txt package.xml setup.py tools/entry_points.py tools/join_workspace.py $(SOURCES)
	$(COLCON) build --symlink-install --event-handlers console_direct- \
	  --cmake-args -DPython3_EXECUTABLE=$(CURDIR)/$(BIN)/python
	$(BIN)/python tools/join_workspace.py
	touch $@
