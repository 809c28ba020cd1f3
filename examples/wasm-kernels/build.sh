#!/bin/sh
# Builds every kernel of this folder into the folder $1 (default: here).
# Needs clang and its linker for wasm32: apt-get install clang lld
set -eu
here=$(dirname "$0")
for kernel in despike decorrugate; do
  clang --target=wasm32 -O2 -nostdlib -ffreestanding -fno-builtin -Wall -Wextra -Werror \
    -Wl,--no-entry -Wl,--strip-all -Wl,-z,stack-size=65536 \
    -o "${1:-$here}/$kernel.wasm" "$here/$kernel.c"
  chmod 644 "${1:-$here}/$kernel.wasm"
done
