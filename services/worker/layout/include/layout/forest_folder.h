/* forest_folder - where preparation leaves what it compiled, for the instances that load it: a folder inside the
 * unpacked artifact, next to the model's own files.
 *
 *     0.forest   compiled from the first file by name of the model's folder (runner/model_files.h), and so on
 *     0.why      instead: the reason why there is none, one line for people
 *     why        the reason for all, when the compiler did not come to an end
 *
 * The name starts with ".", so that it is no model; artifacts may have nothing that starts like it (runner/unpack.c),
 * so that what is there is ours. It carries the format's version: files of another version are not even looked at. */
#ifndef LAYOUT_FOREST_FOLDER_H
#define LAYOUT_FOREST_FOLDER_H

#define FOREST_FOLDER_PREFIX  ".pilotlight-"
#define FOREST_FOLDER_VERSION 1
#define FOREST_FOLDER         FOREST_FOLDER_PREFIX "forest-1"
#define FOREST_FOLDER_WHY     "why"

#endif
