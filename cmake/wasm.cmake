# The two wasm products: the Embind module, and the memory-less kernel module (one with SIMD128, which ships,
# and a scalar one for the bench). And the bench's yardsticks, built as the kernel modules are.

# Binaryen would inline all update loops, which are called from one place, into one function; engines then take long
# to optimize it and keep fewer of its values in registers.
set(separate_loops -sBINARYEN_EXTRA_PASSES=--one-caller-inline-max-function-size=1)

# The Embind module runs on an imported memory, under a strict Content-Security-Policy, in pages, workers and
# Node alike ("node" stays out of ENVIRONMENT: its import("module") breaks esbuild and webpack).
add_executable(simdescent cpp/bindings/embind.cc)
target_link_libraries(simdescent PRIVATE simdescent_engine)
target_compile_options(simdescent PRIVATE ${warnings} ${small})

# embind_calls.cc and .js stand in for Embind's library, which knows values of every kind; they need no RTTI. An
# Emscripten whose Embind calls that library in another way gets it as it is, which is only larger.
set(embind_calls ${CMAKE_CURRENT_SOURCE_DIR}/cpp/bindings/embind_calls)
try_compile(
  own_embind_calls ${CMAKE_BINARY_DIR}/own_embind_calls SOURCES ${embind_calls}.cc
  LINK_OPTIONS --no-entry --js-library=${embind_calls}.js CXX_STANDARD 20 OUTPUT_VARIABLE why)
if(own_embind_calls)
  target_sources(simdescent PRIVATE ${embind_calls}.cc)
  set_target_properties(simdescent PROPERTIES LINK_DEPENDS ${embind_calls}.js)
  target_compile_options(simdescent PRIVATE -fno-rtti -DEMSCRIPTEN_HAS_UNBOUND_TYPE_NAMES=0)
  target_link_options(simdescent PRIVATE -fno-rtti --js-library=${embind_calls}.js)
else()
  message(STATUS "Embind's own library is linked: ${why}")
  target_link_libraries(simdescent PRIVATE embind)
  target_link_options(simdescent PRIVATE -sEMBIND_AOT)
endif()
set_target_properties(simdescent PROPERTIES SUFFIX .mjs)
target_link_options(
  simdescent
  PRIVATE
  -O3
  -sDYNAMIC_EXECUTION=0
  -sMODULARIZE
  -sEXPORT_ES6
  -sUSE_ES6_IMPORT_META=0
  -sENVIRONMENT=web,worker
  -sSTRICT
  -sFILESYSTEM=0
  -sMALLOC=dlmalloc # emmalloc adds sizes to addresses, and near 4 GiB the sum wraps round: arrays over living ones
  -sSTACK_SIZE=64KB
  -sIMPORTED_MEMORY
  -sALLOW_MEMORY_GROWTH
  -sINITIAL_MEMORY=512KB
  -sMAXIMUM_MEMORY=4GB
  -sMEMORY_GROWTH_GEOMETRIC_STEP=3
  -sMEMORY_GROWTH_GEOMETRIC_CAP=268435456
  -sABORTING_MALLOC=0
  -sINCOMING_MODULE_JS_API=instantiateWasm,wasmMemory
  ${separate_loops}
  --no-entry)

# Objects by em++, linked by wasm-ld itself: em++ would add a runtime. wasm-opt then drops the stack pointer and
# the table that wasm-ld makes unasked. Both are found beside em++'s own clang and Binaryen.
set(toolchain_folders $ENV{LLVM_ROOT} ${EMSCRIPTEN_ROOT_PATH}/../bin ${EMSCRIPTEN_ROOT_PATH}/../../bin)
find_program(WASM_LD NAMES wasm-ld wasm-ld-19 HINTS ${toolchain_folders} REQUIRED)
find_program(WASM_OPT NAMES wasm-opt HINTS ${toolchain_folders} REQUIRED)

function(add_memoryless_module name source)
  add_library(${name}_object OBJECT ${source})
  target_include_directories(${name}_object PRIVATE cpp)
  target_compile_options(${name}_object PRIVATE ${arithmetic} ${warnings} ${rolled} -O3 -fno-exceptions -fno-rtti
                                                ${ARGN})
  add_custom_command(
    OUTPUT ${name}.wasm
    COMMAND ${WASM_LD} --no-entry --import-memory --max-memory=4294967296 -O2 --strip-all -o ${name}.linked.wasm
            $<TARGET_OBJECTS:${name}_object>
    COMMAND ${WASM_OPT} --enable-simd --enable-bulk-memory --remove-unused-module-elements ${name}.linked.wasm -o ${name}.wasm
    DEPENDS ${name}_object $<TARGET_OBJECTS:${name}_object>
    COMMAND_EXPAND_LISTS)
  add_custom_target(${name} ALL DEPENDS ${name}.wasm)
endfunction()

add_memoryless_module(kernels cpp/bindings/kernels_exports.cc -msimd128 -mbulk-memory)
add_memoryless_module(kernels-scalar cpp/bindings/kernels_exports.cc -mbulk-memory)
add_memoryless_module(yardsticks tests/bench/yardsticks.cc -msimd128)

# The facts that the build writes down for TypeScript (scripts/facts.mjs).
add_executable(facts cpp/bindings/facts_exports.cc cpp/engine/facts.cc)
target_link_libraries(facts PRIVATE simdescent_engine)
target_compile_options(facts PRIVATE ${warnings})
set_target_properties(facts PROPERTIES SUFFIX .wasm)
target_link_options(facts PRIVATE -O1 -sSTANDALONE_WASM -sFILESYSTEM=0 --no-entry)

# The shader module needs a runtime (strings), but nothing from outside.
add_executable(shaders cpp/bindings/shaders_exports.cc)
target_link_libraries(shaders PRIVATE simdescent_shaders)
target_compile_options(shaders PRIVATE ${warnings})
set_target_properties(shaders PROPERTIES SUFFIX .wasm)
target_link_options(
  shaders
  PRIVATE
  -Os
  -sSTANDALONE_WASM
  -sFILESYSTEM=0
  -sMALLOC=emmalloc
  -sINITIAL_MEMORY=1MB
  --no-entry)
