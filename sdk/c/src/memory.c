// The few functions of a C library that compilers and bindings take for granted.
//
// Blocks are powers of two, each behind a head that says which; what is freed is used again for that size. Memory grows, and is given back
// with the instance. Out of memory is a trap: the host replaces the instance.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct block {
    /// Its size is 1 << order, this head included.
    size_t order;
    struct block *next;
} block;

enum { HEAD = 16, SMALLEST = 5, LARGEST = 31, PAGE = 65536 };

_Static_assert(sizeof(block) <= HEAD, "a head is before what it heads");

extern uint8_t __heap_base;
static block *freed[LARGEST];
static uintptr_t next, end;

_Noreturn void abort(void) {
    __builtin_trap();
}

static block *fresh(size_t size) {
    if (next == 0) {
        next = ((uintptr_t)&__heap_base + HEAD - 1) / HEAD * HEAD;
        end = __builtin_wasm_memory_size(0) * PAGE;
    }
    if (size > end - next) {
        size_t pages = (size - (end - next) + PAGE - 1) / PAGE;
        if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) {
            abort();
        }
        end += pages * PAGE;
    }
    block *found = (block *)next;
    next += size;
    return found;
}

void *malloc(size_t size) {
    if (size > ((size_t)1 << (LARGEST - 1)) - HEAD) {
        abort();
    }
    size_t order = SMALLEST;
    while (((size_t)1 << order) < size + HEAD) {
        order++;
    }
    block *found = freed[order];
    if (found != NULL) {
        freed[order] = found->next;
    } else {
        found = fresh((size_t)1 << order);
    }
    found->order = order;
    return (uint8_t *)found + HEAD;
}

void free(void *memory) {
    if (memory != NULL) {
        block *head = (block *)((uint8_t *)memory - HEAD);
        head->next = freed[head->order];
        freed[head->order] = head;
    }
}

void *calloc(size_t count, size_t size) {
    size_t whole;
    if (__builtin_mul_overflow(count, size, &whole)) {
        abort();
    }
    return memset(malloc(whole), 0, whole);
}

void *realloc(void *memory, size_t size) {
    if (memory == NULL) {
        return malloc(size);
    }
    size_t room = ((size_t)1 << ((block *)((uint8_t *)memory - HEAD))->order) - HEAD;
    if (size <= room) {
        return memory;
    }
    void *larger = malloc(size);
    memcpy(larger, memory, room);
    free(memory);
    return larger;
}

// With bulk memory, these are one instruction each.

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
    return __builtin_memcpy(to, from, size);
}

void *memmove(void *to, const void *from, size_t size) {
    return __builtin_memmove(to, from, size);
}

void *memset(void *to, int byte, size_t size) {
    return __builtin_memset(to, byte, size);
}

int memcmp(const void *one, const void *other, size_t size) {
    const uint8_t *a = one, *b = other;
    for (size_t i = 0; i < size; i++) {
        if (a[i] != b[i]) {
            return a[i] - b[i];
        }
    }
    return 0;
}

void *memchr(const void *in, int byte, size_t size) {
    const uint8_t *bytes = in;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == (uint8_t)byte) {
            return (void *)(bytes + i);
        }
    }
    return NULL;
}

size_t strlen(const char *text) {
    size_t len = 0;
    while (text[len] != 0) {
        len++;
    }
    return len;
}

int strcmp(const char *one, const char *other) {
    while (*one != 0 && *one == *other) {
        one++, other++;
    }
    return (uint8_t)*one - (uint8_t)*other;
}
