import Foundation
import TestSupport

/// A small file system of its own, which can be filled.
struct SmallDisk: Sendable {
    /// Where it is mounted.
    let path: String

    /// Mounts one where that is possible: on Linux, as root.
    /// - Parameters:
    ///   - path: A directory, which is created.
    ///   - megabytes: How much it holds.
    ///   - owner: Whose it is; by default this process's user's.
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

    /// Gives the space free that was taken.
    func free() { unlink(filler) }

    /// Keeps it full for a time.
    static func keepFull(_ disks: [SmallDisk], for duration: Duration) async throws {
        defer { for disk in disks { disk.free() } }
        let end = ContinuousClock.now + duration
        // What others give free is taken at once.
        while .now < end {
            for disk in disks { try disk.fill() }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    func unmount() async throws {
        // Lazily: who still has a file open keeps it until then.
        _ = await (try RunningProcess("umount", ["--lazy", path], environment: [:])).result()
    }

    private var filler: String { path + "/filler" }
}
