// The cosine of the schedules, by itself: C libraries differ in the last bit of cosf, and a schedule has the
// same bits natively as in WebAssembly. It has those of Emscripten's library (but for +-10965170176, whose
// cosine lies almost halfway between two floats, and which no schedule comes to), in a third of its size:
// that one reduces large arguments by a table that quadruple precision needs.
#pragma once

namespace simdescent {

float cosine(float x);

}  // namespace simdescent
