# One INTERFACE target carries the project's flags; every library and test links it.
add_library(gatebench_flags INTERFACE)
target_include_directories(gatebench_flags INTERFACE ${PROJECT_SOURCE_DIR})
# -ffp-contract=off: a virtual run's digest is equal on every compiler.
target_compile_options(gatebench_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                       -Wold-style-cast -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 warns falsely about std::string concatenation (GCC bug 105651).
  target_compile_options(gatebench_flags INTERFACE -Wno-restrict)
endif()
if(GATEBENCH_WERROR)
  target_compile_options(gatebench_flags INTERFACE -Werror)
endif()
if(GATEBENCH_SANITIZE)
  target_compile_options(gatebench_flags INTERFACE -fsanitize=${GATEBENCH_SANITIZE}
                         -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(gatebench_flags INTERFACE -fsanitize=${GATEBENCH_SANITIZE})
endif()

# gatebench_library(name LINK a b c): a STATIC library of all *.cc in the current folder.
function(gatebench_library name)
  cmake_parse_arguments(arg "" "" "LINK;SYSTEM" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC gatebench_flags ${arg_LINK} PRIVATE ${arg_SYSTEM})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE gatebench_flags ${arg_LINK} ${arg_SYSTEM})
  endif()
endfunction()
