#pragma once
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

/* Returns freed memory to the system, where the C library would keep it. */
static inline void return_freed_memory(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}
