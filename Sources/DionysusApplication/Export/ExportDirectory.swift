import Crypto
import Dionysus
import PrivateFiles

import struct Foundation.Data
import class Foundation.FileHandle
import class Foundation.FileManager
import struct Foundation.URL

/// The files of an export, each of which is complete or absent.
///
/// What is written goes to files whose names end in `.partial`. A note beside them says how much of each counts, so that an
/// export that was killed goes on where it was. At the end the files get their names, and a manifest lists them.
struct ExportDirectory {
    /// A file, and how much of it counts.
    struct File: Sendable, Hashable {
        var bytes: UInt64 = 0
        var records: Int64 = 0
    }

    static let manifestName = "manifest.json"
    private static let noteName = ".export.json"

    private let directory: URL
    /// What was asked for, by which a note is recognized.
    private let request: JSON.Object
    private(set) var files: [String: File] = [:]
    /// How far the export is, as its source understands it.
    private(set) var position: JSON
    /// When the export was started.
    let startedAt: Timestamp
    /// Whether an earlier export goes on.
    let isResumed: Bool

    /// Opens a directory for an export, or for the rest of one.
    /// - Throws: ``DionysusError``: `conflict` if the directory holds another export, `configuration` if it can't be written.
    init(_ path: String, for request: JSON.Object) throws {
        directory = URL(filePath: path)
        self.request = request
        try Self.reporting("create the directory \(path)") { try PrivateFiles.createDirectory(path) }
        if FileManager.default.fileExists(atPath: directory.appending(path: Self.manifestName).path) {
            throw DionysusError(
                .conflict,
                "\(path) holds an export that is complete",
                advice: "export to another directory, or remove that one"
            )
        }
        guard let note = try? Data(contentsOf: directory.appending(path: Self.noteName)) else {
            position = .null
            startedAt = .now
            isResumed = false
            return
        }
        guard let json = try? JSON(parsing: Array(note)), json["request"] == .object(request),
            case .object(let noted)? = json["files"], case .string(let start)? = json["started_at"],
            let startedAt = Timestamp(start)
        else {
            throw DionysusError(
                .conflict,
                "\(path) holds a part of another export",
                advice: "repeat that one with the same options to finish it, or export to another directory"
            )
        }
        position = json["position"] ?? .null
        self.startedAt = startedAt
        isResumed = true
        for member in noted.members {
            guard case .integer(let bytes)? = member.value["bytes"], bytes >= 0,
                case .integer(let records)? = member.value["records"], !member.name.contains("/")
            else { continue }
            files[member.name] = File(bytes: UInt64(bytes), records: records)
        }
    }

    /// Adds lines to files, and notes how far the export is now.
    /// - Parameters:
    ///   - lines: What is added, by the files' names.
    ///   - header: What every file begins with.
    ///   - position: How far the export is with them.
    mutating func append(_ lines: [String: ExportLines], header: [UInt8], position: JSON) throws {
        for (name, added) in lines.sorted(by: { $0.key < $1.key }) {
            var file = files[name] ?? File()
            let content = file.bytes == 0 ? header + added.bytes : added.bytes
            try Self.reporting("write \(name)") {
                if file.bytes > 0 { try reopen(name) }
                try write(content, to: partial(name), at: file.bytes)
            }
            file.bytes += UInt64(content.count)
            file.records += added.records
            files[name] = file
        }
        self.position = position
        try Self.reporting("note how far the export is") {
            try PrivateFiles.replaceFile(directory.appending(path: Self.noteName).path, with: Data(note.bytes))
        }
    }

    /// Gives the files their names and lists them in the manifest.
    /// - Returns: The manifest.
    func finish() throws -> JSON {
        var entries: [JSON] = []
        for (name, file) in files.sorted(by: { $0.key < $1.key }) {
            let final = directory.appending(path: name)
            let digest = try Self.reporting("finish \(name)") {
                // It has its name already if the export was killed right here.
                if FileManager.default.fileExists(atPath: partial(name).path) {
                    try PrivateFiles.move(partial(name).path, to: final.path)
                }
                return try Self.digest(of: final)
            }
            entries.append(
                .object([
                    "name": .string(name), "records": .integer(file.records), "bytes": .integer(Int64(file.bytes)),
                    "sha256": .string(digest),
                ])
            )
        }
        var manifest: JSON.Object = ["dionysus": 1]
        for member in request.members { manifest[member.name] = member.value }
        manifest["started_at"] = .string(startedAt.description)
        manifest["completed_at"] = .string(Timestamp.now.description)
        manifest["records"] = .integer(files.values.reduce(0) { $0 + $1.records })
        manifest["files"] = .array(entries)
        try Self.reporting("write the manifest") {
            let text = JSON.object(manifest).indentedText + "\n"
            try PrivateFiles.replaceFile(directory.appending(path: Self.manifestName).path, with: Data(text.utf8))
            try? FileManager.default.removeItem(at: directory.appending(path: Self.noteName))
        }
        return .object(manifest)
    }

    private var note: JSON {
        var noted = JSON.Object()
        for (name, file) in files.sorted(by: { $0.key < $1.key }) {
            noted[name] = .object(["bytes": .integer(Int64(file.bytes)), "records": .integer(file.records)])
        }
        return .object([
            "request": .object(request), "started_at": .string(startedAt.description), "position": position,
            "files": .object(noted),
        ])
    }

    private func partial(_ name: String) -> URL { directory.appending(path: name + ".partial") }

    /// Takes back the name of a file that got it before the export was killed.
    private func reopen(_ name: String) throws {
        let final = directory.appending(path: name).path
        guard !FileManager.default.fileExists(atPath: partial(name).path), FileManager.default.fileExists(atPath: final)
        else { return }
        try PrivateFiles.move(final, to: partial(name).path)
    }

    /// Writes from an offset on; what a killed process left behind it is cut off.
    private func write(_ bytes: [UInt8], to url: URL, at offset: UInt64) throws {
        try PrivateFiles.createFile(url.path)
        let file = try FileHandle(forWritingTo: url)
        do {
            try file.truncate(atOffset: offset)
            try file.seek(toOffset: offset)
            try file.write(contentsOf: bytes)
            try file.synchronize()
        } catch {
            try? file.close()
            throw error
        }
        try file.close()
    }

    private static func digest(of url: URL) throws -> String {
        let file = try FileHandle(forReadingFrom: url)
        defer { try? file.close() }
        var hash = SHA256()
        while let part = try file.read(upToCount: 1 << 20), !part.isEmpty { hash.update(data: part) }
        return hash.finalize().hexadecimal
    }

    private static func reporting<Result>(_ action: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch {
            throw DionysusError(
                .configuration,
                "can't \(action): \(error.localizedDescription)",
                advice: "check the disk and the rights, and repeat the command: it goes on where it was",
                underlying: error
            )
        }
    }
}

/// Lines that are added to one file.
struct ExportLines: Sendable {
    private(set) var bytes: [UInt8] = []
    private(set) var records: Int64 = 0

    /// Adds a record's line.
    mutating func add(_ line: [UInt8]) {
        bytes += line
        records += 1
    }
}
