/* What a module exchanges with QuetzalCore; see docs/wasm.md. No library, no imports. */
#ifndef QUETZAL_H
#define QUETZAL_H

typedef unsigned int u32;
#define EXPORT(name) __attribute__((export_name(name)))

extern unsigned char __heap_base; /* the linker puts it behind our own data */
static u32 heap_top;

/* Give `bytes` of memory at a multiple of 8, or 0 where there is no more. */
EXPORT("alloc") void *alloc(u32 bytes) {
  if (heap_top == 0) heap_top = ((u32)&__heap_base + 7) & ~7u;
  u32 start = heap_top;
  u32 end = start + ((bytes + 7) & ~7u);
  if (end < start) return 0;
  u32 have = __builtin_wasm_memory_size(0) << 16;
  if (end > have) {
    u32 pages = (end - have + 0xffff) >> 16;
    if (__builtin_wasm_memory_grow(0, pages) == (u32)-1) return 0;
  }
  heap_top = end;
  return (void *)start;
}

static int missing(double value) { return value != value; } /* NaN */

#endif
