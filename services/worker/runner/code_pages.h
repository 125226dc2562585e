/* code_pages - the code that answers a request, into this process's page table. */
#ifndef RUNNER_CODE_PAGES_H
#define RUNNER_CODE_PAGES_H

/* A new process shares its code with the one that it was made from, but not the table that says where: each page that
 * it runs for the first time is a page fault, and a cold start would make some sixty of them, one after another. This
 * maps all of the program's own code, of the C library's and of its mathematics' in three calls. Takes no memory: those
 * pages are the page cache's. Where the kernel cannot (before 5.14), nothing happens. */
void code_pages_map(void);

#endif
