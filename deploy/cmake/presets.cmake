# What each preset compiles with; see the head of CMakeLists.txt.
set(PL_PRESET release CACHE STRING "release, asan, tsan or fuzz")
set_property(CACHE PL_PRESET PROPERTY STRINGS release asan tsan fuzz)

set(warnings -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings
    -Wundef -Wvla -Wno-missing-field-initializers)
set(hardening -fstack-protector-strong -fno-common -fPIE)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE None) # the preset says it all
endif()

if(PL_PRESET STREQUAL "release")
  add_compile_options(-O2 -g -D_FORTIFY_SOURCE=2)
  add_link_options(-Wl,-z,relro,-z,now)
elseif(PL_PRESET STREQUAL "asan")
  add_compile_options(-O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
elseif(PL_PRESET STREQUAL "tsan")
  add_compile_options(-O1 -g1 -fno-omit-frame-pointer -fsanitize=thread)
  add_link_options(-fsanitize=thread)
elseif(PL_PRESET STREQUAL "fuzz")
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "PL_PRESET=fuzz needs clang: cmake -DCMAKE_C_COMPILER=clang-14")
  endif()
  # Most of its time is compiling, which -O1 makes half as long again.
  add_compile_options(-O0 -g1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined
      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
else()
  message(FATAL_ERROR "PL_PRESET=${PL_PRESET}: known are release, asan, tsan, fuzz")
endif()
# What links the many test programs in a third of the time. With clang that is its own: gold warns of each symbol of clang's ASan.
find_program(GOLD ld.gold)
find_program(LLD ld.lld PATHS /usr/lib/llvm-14/bin)
set(quick_linker "")
if(CMAKE_C_COMPILER_ID MATCHES "Clang")
  if(LLD)
    set(quick_linker -fuse-ld=lld)
  endif()
elseif(GOLD)
  set(quick_linker -fuse-ld=gold)
endif()
if(NOT PL_PRESET STREQUAL "release")
  add_link_options(${quick_linker})
endif()
add_compile_options(${hardening})
add_compile_definitions(_GNU_SOURCE PL_VERSION="${PROJECT_VERSION}")
add_link_options(-pie)
