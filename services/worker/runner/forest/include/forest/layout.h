/* layout - what lies in a compiled forest file, byte for byte: trees in the form that a walk likes best.
 *
 *     header | groups | trees | features | absent | nodes | sets      each section starts on a cache line
 *
 * There are no pointers in it, so it may lie at any address, and every number that is used as an index is checked once,
 * when the file is opened (check.c). It is written and read on one host: byte order and float format are the host's.
 *
 * A row, before it is walked, is put into **slots**: one u32 per (feature, direction of missing values) that some node
 * asks for. A number becomes its ordinal, a u32 that sorts as floats do, so that nodes compare integers; a missing
 * value becomes FOREST_LEFT or FOREST_RIGHT, whichever way the slot's nodes send it. So missing values cost nothing in
 * a walk.
 *
 * A **node** is 8 bytes. 'next' has the slot in its low 'slot_bits' and the distance to the right child above them; the
 * left child is the one before. A walk goes  at += distance - (slot value < threshold).  A leaf has slot 0, whose value
 * is FOREST_RIGHT and so never less, and distance 0: a walk stays there, however many steps it makes. Its 'threshold'
 * is the leaf's value as float bits. So all walks of a tree take its depth in steps, without a branch that depends on
 * data.
 *
 * Slots from 'first_set_slot' on are categorical: their value is the category + 1, FOREST_LEFT_CATEGORY for one that no
 * set holds, and 0 for a missing value that goes right (bit 0 of every set is on). Their nodes' 'threshold' is the
 * place of a set in 'sets': its number of bits, then its bits. The row goes right when its bit is on. */
#ifndef FOREST_LAYOUT_H
#define FOREST_LAYOUT_H

#include <stdint.h>

#define FOREST_MAGIC      "PLFOREST"
#define FOREST_VERSION    1u
#define FOREST_BYTE_ORDER 0x01020304u
#define FOREST_ALIGNMENT  64u

#define FOREST_LEFT          0u
#define FOREST_RIGHT         UINT32_MAX
#define FOREST_LEFT_CATEGORY UINT32_MAX
#define FOREST_CATEGORIES    (1u << 24) /* from here on floats skip integers: XGBoost takes no such category */

#define FOREST_MAX_DEPTH    4096u
#define FOREST_MAX_GROUPS   (1u << 16)
#define FOREST_MAX_FEATURES (8u << 20)
#define FOREST_MAX_BYTES    ((uint64_t)2 << 30)

/* What is done to a row's sums before they are the answer. */
enum forest_transform {
    FOREST_IDENTITY,
    FOREST_SIGMOID,  /* 1 / (1 + e^-x)            */
    FOREST_EXP,      /* e^x                       */
    FOREST_SIGN,     /* 1 when above 0, else 0    */
    FOREST_SOFTMAX,  /* of all groups             */
    FOREST_LARGEST,  /* number of the largest one */
    FOREST_ASCENDING /* sorted                    */
};
#define FOREST_TRANSFORMS 7

struct forest_header {
    char magic[8]; /* without a terminator */
    uint32_t version, byte_order;
    uint64_t file_bytes;
    uint64_t checksum; /* checksum.h, of everything after this member */
    uint32_t features; /* columns of the model */
    uint32_t slots, first_set_slot, slot_bits;
    uint32_t groups, trees, nodes, set_words;
    uint32_t transform;
    uint32_t outputs;                /* values per row */
    uint32_t list;                   /* 1: XGBoost gives them a dimension of their own */
    uint32_t classes;                /* multi:*; else 0 */
    uint32_t proven;                 /* 1: compared with XGBoost's library, and equal */
    uint32_t leaves, leaves_reached; /* by the rows of that comparison */
    char objective[64];
    char runtime[48]; /* "xgboost 1.7.4" when it was proven, else what saved the model */
    char note[192];   /* for people: why it is not proven; "" */
};

/* A group is what sums to one margin: a class, or a target. */
struct forest_group {
    float base; /* the sum starts here */
    uint32_t first_tree, trees;
};

struct forest_tree {
    uint32_t first_node, nodes;
    uint16_t depth;   /* steps to the deepest leaf */
    uint16_t has_set; /* 1: some node is categorical */
};

struct forest_node {
    uint32_t threshold;
    uint32_t next;
};

#endif
