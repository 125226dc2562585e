# pl_protos(TARGET FILES ...): C messages of the .proto files, and all of them, imports included, as one descriptor set in the program
# (proto/descriptors.h) for server reflection.
function(pl_protos target)
  find_program(PROTOC protoc REQUIRED)
  find_program(PROTOC_C protoc-c REQUIRED)
  set(gen ${CMAKE_BINARY_DIR}/gen)
  set(well_known google/protobuf/any.proto google/protobuf/duration.proto)
  set(sources "")
  foreach(file ${ARGN} ${well_known})
    string(REGEX REPLACE "\\.proto$" "" stem ${file})
    set(input ${CMAKE_CURRENT_SOURCE_DIR}/${file})
    if(file IN_LIST well_known)
      set(input /usr/include/${file})
    endif()
    add_custom_command(
      OUTPUT ${gen}/${stem}.pb-c.c ${gen}/${stem}.pb-c.h
      COMMAND ${CMAKE_COMMAND} -E make_directory ${gen}
      COMMAND ${PROTOC_C} -I${CMAKE_CURRENT_SOURCE_DIR} -I/usr/include --c_out=${gen} ${input}
      DEPENDS ${input} VERBATIM)
    list(APPEND sources ${gen}/${stem}.pb-c.c ${gen}/${stem}.pb-c.h)
  endforeach()

  set(set_file ${gen}/pilotlight.descriptors)
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/ OUTPUT_VARIABLE inputs)
  add_custom_command(
    OUTPUT ${set_file}
    COMMAND ${PROTOC} -I${CMAKE_CURRENT_SOURCE_DIR} -I/usr/include --include_imports --descriptor_set_out=${set_file} ${inputs}
    DEPENDS ${inputs} VERBATIM)
  file(CONFIGURE OUTPUT ${gen}/descriptors.c CONTENT [[
#include "proto/descriptors.h"
__asm__(".section .rodata\n.balign 16\n.globl proto_descriptor_set\nproto_descriptor_set:\n"
        ".incbin \"@set_file@\"\n.globl proto_descriptor_set_end\nproto_descriptor_set_end:\n.byte 0\n.previous\n");
extern const unsigned char proto_descriptor_set_end[];
size_t proto_descriptor_set_len(void)
{
    return (size_t)(proto_descriptor_set_end - proto_descriptor_set);
}
]] @ONLY)
  # CONFIGURE, not WRITE: what has not changed keeps its time, and nothing is built again.
  file(CONFIGURE OUTPUT ${gen}/proto/descriptors.h CONTENT [[
/* Every .proto of the product and its imports, as one serialized google.protobuf.FileDescriptorSet. */
#ifndef PROTO_DESCRIPTORS_H
#define PROTO_DESCRIPTORS_H
#include <stddef.h>
extern const unsigned char proto_descriptor_set[];
size_t proto_descriptor_set_len(void);
#endif
]] @ONLY)
  set_source_files_properties(${gen}/descriptors.c PROPERTIES OBJECT_DEPENDS ${set_file})
  add_library(${target} STATIC ${sources} ${gen}/descriptors.c ${set_file})
  target_include_directories(${target} PUBLIC ${gen})
  target_link_libraries(${target} PUBLIC PkgConfig::PROTOBUF_C)
endfunction()
