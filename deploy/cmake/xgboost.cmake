# XGBoost, 1.7 or newer: the target pl_xgboost.
#
#   -DXGBOOST_ROOT=DIR   what is installed under this prefix, and no other; a change of it is heeded in a build folder that exists
#
# Without it the one that pkg-config names first (of PKG_CONFIG_PATH, CMAKE_PREFIX_PATH, /usr/local, the system), or any other that CMake
# finds: not every package of XGBoost has a file for pkg-config, nor does each such file name the folder that the library is in. The
# version is that of the header, for which our code is compiled. Programs remember the folder of a library that is not the system's.
set(XGBOOST_ROOT "" CACHE PATH "The prefix of the XGBoost to use, where there are several")
set(pl_xgboost_minimum 1.7.0) # XGDMatrixCreateFromCSR as it is called today, and categorical splits in UBJSON

if(NOT "${XGBOOST_ROOT}" STREQUAL "${PL_XGBOOST_SOUGHT_IN}")
  unset(PL_XGBOOST_HEADERS CACHE)
  unset(PL_XGBOOST_LIBRARY CACHE)
endif()
set(PL_XGBOOST_SOUGHT_IN "${XGBOOST_ROOT}" CACHE INTERNAL "")

if(XGBOOST_ROOT)
  find_path(PL_XGBOOST_HEADERS xgboost/c_api.h PATHS ${XGBOOST_ROOT} PATH_SUFFIXES include NO_DEFAULT_PATH)
  find_library(PL_XGBOOST_LIBRARY xgboost PATHS ${XGBOOST_ROOT} PATH_SUFFIXES lib lib64 lib/${CMAKE_LIBRARY_ARCHITECTURE} NO_DEFAULT_PATH)
  set(pl_xgboost_missing "XGBOOST_ROOT is '${XGBOOST_ROOT}', which")
else()
  pkg_check_modules(PL_XGBOOST_TOLD QUIET xgboost)
  find_path(PL_XGBOOST_HEADERS xgboost/c_api.h HINTS ${PL_XGBOOST_TOLD_INCLUDEDIR} ${PL_XGBOOST_TOLD_INCLUDE_DIRS})
  find_library(PL_XGBOOST_LIBRARY xgboost HINTS ${PL_XGBOOST_TOLD_LIBDIR} ${PL_XGBOOST_TOLD_LIBRARY_DIRS} ${PL_XGBOOST_TOLD_PREFIX}
    PATH_SUFFIXES lib lib64)
  set(pl_xgboost_missing "This system")
endif()
mark_as_advanced(PL_XGBOOST_HEADERS PL_XGBOOST_LIBRARY)
if(NOT PL_XGBOOST_HEADERS)
  message(FATAL_ERROR "${pl_xgboost_missing} has no header xgboost/c_api.h. Install libxgboost-dev, or say where XGBoost is: XGBOOST_ROOT=DIR")
elseif(NOT PL_XGBOOST_LIBRARY)
  message(FATAL_ERROR "${pl_xgboost_missing} has no libxgboost. Install libxgboost-dev, or say where XGBoost is: XGBOOST_ROOT=DIR")
endif()

set(XGBOOST_VERSION "")
if(EXISTS ${PL_XGBOOST_HEADERS}/xgboost/version_config.h)
  file(READ ${PL_XGBOOST_HEADERS}/xgboost/version_config.h pl_xgboost_text)
  foreach(part MAJOR MINOR PATCH)
    if(pl_xgboost_text MATCHES "#define[ \t]+XGBOOST_VER_${part}[ \t]+([0-9]+)")
      list(APPEND XGBOOST_VERSION ${CMAKE_MATCH_1})
    endif()
  endforeach()
  list(JOIN XGBOOST_VERSION "." XGBOOST_VERSION)
endif()
if(NOT XGBOOST_VERSION MATCHES "^[0-9]+[.][0-9]+[.][0-9]+$")
  message(FATAL_ERROR "${PL_XGBOOST_HEADERS}/xgboost/version_config.h does not tell XGBoost's version")
elseif(XGBOOST_VERSION VERSION_LESS pl_xgboost_minimum)
  message(FATAL_ERROR "XGBoost ${XGBOOST_VERSION} (${PL_XGBOOST_LIBRARY}) is too old: ${pl_xgboost_minimum} or newer is needed. "
    "XGBOOST_ROOT=DIR chooses another")
endif()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PL_XGBOOST_HEADERS}/xgboost/version_config.h)
message(STATUS "XGBoost ${XGBOOST_VERSION}: ${PL_XGBOOST_LIBRARY}")

add_library(pl_xgboost UNKNOWN IMPORTED)
set_target_properties(pl_xgboost PROPERTIES IMPORTED_LOCATION ${PL_XGBOOST_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${PL_XGBOOST_HEADERS})
