import Foundation
import TestSupport

/// A small file system that can be filled.
struct SmallDisk: Sendable {
    /// Its mount point.
    let path: String

    /// Mounts one if possible: on Linux, as root.
    /// - Parameters:
    ///   - path: The mount point, a directory that is created.
    ///   - megabytes: Its size.
    ///   - owner: Its owner; this process's user by default.
    /// - Returns: Nil if it can't be mounted here.
    static func mounted(at path: String, megabytes: Int, owner: UInt32 = getuid()) async throws -> SmallDisk? {
        #if os(Linux)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let options = "size=\(megabytes)m,mode=0700,uid=\(owner)"
        let mount = try RunningProcess("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path], environment: [:])
        return await mount.result().status == 0 ? SmallDisk(path: path) : nil
        #else
        return nil
        #endif
    }

    /// Leaves no space free.
    func fill() throws {
        let descriptor = open(filler, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        guard descriptor >= 0 else { throw ChaosError("\(filler) can't be written (errno \(errno))") }
        defer { close(descriptor) }
        for size in [1 << 20, 1 << 12] {
            let bytes = [UInt8](repeating: 0, count: size)
            while write(descriptor, bytes, size) == size {}
        }
    }

    /// Frees the space.
    func free() { unlink(filler) }

    /// Keeps it full for a time.
    static func keepFull(_ disks: [SmallDisk], for duration: Duration) async throws {
        defer { for disk in disks { disk.free() } }
        let end = ContinuousClock.now + duration
        // Space that other processes free is taken at once.
        while .now < end {
            for disk in disks { try disk.fill() }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    func unmount() async throws {
        // Lazily, so that processes with open files keep it until they close them.
        _ = await (try RunningProcess("umount", ["--lazy", path], environment: [:])).result()
    }

    private var filler: String { path + "/filler" }
}
