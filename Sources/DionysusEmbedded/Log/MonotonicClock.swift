import Foundation

/// The machine's clock that never jumps, which all its processes share.
///
/// Leases are kept in it: setting the date neither ends nor prolongs them. It starts anew with the machine, so a time
/// later than now is one from before the last start.
enum MonotonicClock {
    /// Microseconds since some moment before the machine's start.
    static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }
}
