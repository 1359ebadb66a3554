import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What the system knows of a process, to distinguish it from a later one with the same number.
struct ServiceProcess: Equatable {
    /// The user that it runs as.
    let user: UInt32
    /// When it began, in whatever the system counts; the same for as long as it lives.
    let start: String

    /// The process that asks.
    static var current: ServiceProcess? { ServiceProcess(getpid()) }

    /// - Parameter identifier: The process's number.
    /// - Returns: Nil if there is no such process, or it has ended and its parent has not collected it.
    init?(_ identifier: Int32) {
        #if canImport(Darwin)
        var information = kinfo_proc()
        var size = MemoryLayout<kinfo_proc>.stride
        var name = [CTL_KERN, KERN_PROC, KERN_PROC_PID, identifier]
        guard sysctl(&name, UInt32(name.count), &information, &size, nil, 0) == 0, size > 0,
            Int32(information.kp_proc.p_stat) != SZOMB
        else { return nil }
        user = information.kp_eproc.e_ucred.cr_uid
        let began = information.kp_proc.p_starttime
        start = "\(began.tv_sec).\(began.tv_usec)"
        #else
        guard let stat = Self.content(of: "/proc/\(identifier)/stat"),
            let status = Self.content(of: "/proc/\(identifier)/status")
        else { return nil }
        // The name in parentheses may hold anything, so what counts begins behind the last of them.
        let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ").dropFirst()
        let users = status.split(separator: "\n").first { $0.hasPrefix("Uid:") }?.split { $0 == "\t" || $0 == " " }
        guard fields.count > 19, fields.first != "Z", let users, users.count > 2, let effective = UInt32(users[2])
        else { return nil }
        user = effective
        start = String(fields[fields.startIndex + 19])
        #endif
    }

    private static func content(of path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}
