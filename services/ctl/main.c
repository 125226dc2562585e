/* pilotlight: the command. What it can do is one table (commands.c). */
#include "command.h"

#include "log/log.h"

int main(int argc, char **argv)
{
    /* Results and errors are printed by the commands; of the libraries below, only what went wrong. */
    log_setup("ctl", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
    return (int)command_main(argc, (const char *const *)argv);
}
