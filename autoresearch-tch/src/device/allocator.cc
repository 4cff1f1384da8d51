// What libtorch's allocator for CUDA says of its memory. Compiled against any libtorch: its headers are the same with and
// without CUDA, and the allocator registers itself when `libtorch_cuda.so` is loaded.
#include <c10/core/Allocator.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <cstdint>

namespace {

constexpr size_t AGGREGATE = 0; // of StatType: over pools of large and small blocks

c10::DeviceAllocator* allocator() {
  // No `getDeviceAllocator`: it throws where there is none.
  auto* found = dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(c10::DeviceType::CUDA));
  return found != nullptr && found->initialized() ? found : nullptr;
}

} // namespace

// Bytes in tensors on this device at most since the last reset; -1 where nobody knows.
extern "C" int64_t autoresearch_cuda_peak(int32_t device) {
  try {
    auto* of = allocator();
    auto index = static_cast<c10::DeviceIndex>(device);
    return of != nullptr ? of->getDeviceStats(index).allocated_bytes[AGGREGATE].peak : -1;
  } catch (...) {
    return -1;
  }
}

// Sets the peak back to what is in use now; 0 where nobody could.
extern "C" int32_t autoresearch_cuda_reset_peak(int32_t device) {
  try {
    auto* of = allocator();
    if (of == nullptr) {
      return 0;
    }
    of->resetPeakStats(static_cast<c10::DeviceIndex>(device));
    return 1;
  } catch (...) {
    return 0;
  }
}
