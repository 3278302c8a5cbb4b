// cosf by itself: the same bits as the C library's that Emscripten links, in a third of its size. That one
// reduces large arguments by a table of 690 words, which quadruple precision needs. (One pair of floats, of a
// size that no schedule comes to, rounds the other way: +-10965170176, whose cosine lies almost halfway
// between two floats.)
#pragma once

namespace simdescent {

float cosine(float x);

}  // namespace simdescent
