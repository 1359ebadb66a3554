import struct Foundation.Data
import class Foundation.FileManager

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What this process uses of the machine.
struct ProcessUsage: Sendable {
    /// The memory that it holds, in bytes; the most that it has held where the system doesn't tell the present.
    let residentBytes: Int64
    /// The processor time that it has used, in milliseconds.
    let processorMilliseconds: Int64

    static var now: ProcessUsage {
        var usage = rusage()
        #if canImport(Darwin)
        getrusage(RUSAGE_SELF, &usage)
        let highest = Int64(usage.ru_maxrss)
        #else
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let highest = Int64(usage.ru_maxrss) * 1024
        #endif
        func milliseconds(_ time: timeval) -> Int64 { Int64(time.tv_sec) * 1000 + Int64(time.tv_usec) / 1000 }
        return ProcessUsage(
            residentBytes: resident ?? highest,
            processorMilliseconds: milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime)
        )
    }

    /// The present memory, where the system has `/proc`.
    private static var resident: Int64? {
        guard let data = FileManager.default.contents(atPath: "/proc/self/statm") else { return nil }
        let fields = String(decoding: data, as: UTF8.self).split(separator: " ")
        return fields.count > 1 ? Int64(fields[1]).map { $0 * Int64(sysconf(Int32(_SC_PAGESIZE))) } : nil
    }

    /// The machine's name.
    static var hostName: String {
        // Foundation would ask the network.
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "this host" }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
