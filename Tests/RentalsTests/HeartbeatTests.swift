import Dionysus
import DionysusHealth
import Foundation
import TestSupport
import Testing

/// The content of heartbeat files, and the health derived from it.
@Suite struct HeartbeatTests {
    @Test("a service that has never started is neither live nor ready")
    func missing() async throws {
        try await withTemporaryDirectory { directory in
            for question in Health.Question.allCases {
                let report = Health(clientID: "shop", directory: directory).report(on: .relay, question)
                #expect(report.reason == "there is no heartbeat of a relay in \(directory)")
                #expect(!report.isHealthy && report.heartbeat == nil)
            }
        }
    }

    @Test("a service is live from its start to its end, and ready when it works and has no problem")
    func states() async throws {
        try await withTemporaryDirectory { directory in
            let heartbeat = try HeartbeatFile(.relay, clientID: "shop", directory: directory)
            let health = Health(clientID: "shop", directory: directory)
            func reasons() -> [String?] { Health.Question.allCases.map { health.report(on: .relay, $0).reason } }

            #expect(reasons() == [nil, "the relay is still starting"])
            heartbeat.record(VitalSign(.ready))
            #expect(reasons() == [nil, nil])
            heartbeat.record(VitalSign(.stopping, problem: "the broker is away"))
            #expect(reasons() == [nil, "the relay is shutting down: the broker is away"])
            heartbeat.record(VitalSign(.ready, problem: "the broker is away"))
            #expect(reasons() == [nil, "the broker is away"])
            heartbeat.record(VitalSign(.stopped, problem: "no outbox"))
            #expect(reasons() == ["the relay has stopped: no outbox", "the relay has stopped: no outbox"])
            #expect(!health.report(on: .consumer).isHealthy)
            #expect(!Health(clientID: "other", directory: directory).report(on: .relay).isHealthy)
        }
    }

    @Test("a stuck service keeps the time of its last progress, and says why")
    func stuck() async throws {
        try await withTemporaryDirectory { directory in
            let heartbeat = try HeartbeatFile(.relay, clientID: "shop", directory: directory)
            heartbeat.record(VitalSign(.ready))
            let health = Health(clientID: "shop", directory: directory)
            let before = try #require(health.report(on: .relay).heartbeat)
            heartbeat.record(VitalSign(.stopping, problem: "a batch hangs", madeProgress: false))
            let after = health.report(on: .relay, .live, maxAge: .zero)
            #expect(after.heartbeat?.time == before.time)
            #expect(
                after.reason?.hasPrefix("the relay's last heartbeat is 0 s old, more than 0 s: a batch hangs") == true
            )
        }
    }

    @Test("a process that has exited is neither live nor ready, however recent its heartbeat")
    func gone() async throws {
        let process = try RunningProcess("true", [], environment: [:])
        _ = await process.result()
        let reason = try await reason(changing: ["pid": .integer(Int64(process.identifier))])
        #expect(reason?.contains("process \(process.identifier) is gone") == true)
    }

    @Test("a process id that another process has reused is not the service's")
    func reused() async throws {
        #expect(try await reason(changing: [:]) == nil)
        for start: JSON in [.string("12345"), .string(""), .null, .integer(0)] {
            #expect(try await reason(changing: ["started": start])?.contains("is gone") == true)
        }
        let other = try RunningProcess("sleep", ["60"], environment: [:])
        #expect(
            try await reason(changing: ["pid": .integer(Int64(other.identifier))])?.contains("is gone") == true
        )
        await other.killAndWait()
    }

    @Test("a heartbeat from the future does not count", arguments: [60.0, 86_400, 40_000_000])
    func future(_ seconds: Double) async throws {
        let time = (Timestamp.now + seconds).description
        #expect(try await reason(changing: ["time": .string(time)])?.contains("in the future") == true)
    }

    @Test(
        "an invalid heartbeat file is reported as such",
        arguments: ["", "{}", "not json", #"{"pid":-1,"role":"relay"}"#]
    )
    func malformed(_ content: String) async throws {
        #expect(
            try await reason { _ in Array(content.utf8) }?.hasSuffix("is no heartbeat of a relay") == true
        )
    }

    @Test("services with another application, client, location or role are distinct")
    func identities() async throws {
        try await withTemporaryDirectory { directory in
            let heartbeat = try HeartbeatFile(
                .relay,
                clientID: "shop",
                application: "bookings",
                place: "/a",
                directory: directory
            )
            heartbeat.record(VitalSign(.ready))
            func isHealthy(_ role: ServiceRole, _ client: String, _ application: String, _ place: String) -> Bool {
                Health(clientID: client, application: application, place: place, directory: directory)
                    .report(on: role).isHealthy
            }
            #expect(isHealthy(.relay, "shop", "bookings", "/a"))
            #expect(!isHealthy(.consumer, "shop", "bookings", "/a"))
            #expect(!isHealthy(.relay, "shop2", "bookings", "/a"))
            #expect(!isHealthy(.relay, "shop", "booking", "s/a"))
            #expect(!isHealthy(.relay, "shop", "bookings", "/b"))
        }
    }

    @Test(
        "files are private, whatever the umask; a directory that others can write to gets a private subdirectory"
    )
    func modes() async throws {
        try await withTemporaryDirectory { directory in
            let open = "\(directory)/open"
            mkdir(open, 0o777)
            chmod(open, 0o777)
            for (chosen, expected) in [
                ("\(directory)/a/b", "\(directory)/a/b"), (open, "\(open)/dionysus-\(geteuid())"),
            ] {
                let heartbeat = try HeartbeatFile(.relay, clientID: "shop", directory: chosen)
                heartbeat.record(VitalSign(.ready))
                #expect(Health(clientID: "shop", directory: chosen).report(on: .relay).isHealthy)
                #expect(try mode(of: expected) == 0o700)
                let names = try FileManager.default.contentsOfDirectory(atPath: expected)
                #expect(names.count == 1)
                for name in names { #expect(try mode(of: "\(expected)/\(name)") == 0o600) }
            }
            #expect(try mode(of: open) == 0o777)
        }
    }

    @Test("a link in place of the file is replaced without changing its target, and links are not read")
    func links() async throws {
        try await withTemporaryDirectory { directory in
            let heartbeat = try HeartbeatFile(.relay, clientID: "shop", directory: directory)
            let file = try "\(directory)/" + #require(FileManager.default.contentsOfDirectory(atPath: directory).first)
            let victim = "\(directory)/victim"
            try FileManager.default.moveItem(atPath: file, toPath: victim)
            let content = try Data(contentsOf: URL(filePath: victim))
            symlink(victim, file)
            let health = Health(clientID: "shop", directory: directory)
            #expect(!health.report(on: .relay, .live).isHealthy)
            heartbeat.record(VitalSign(.ready))
            #expect(health.report(on: .relay).isHealthy)
            #expect(try Data(contentsOf: URL(filePath: victim)) == content)
            unlink(file)
            mkfifo(file, 0o600)
            #expect(!health.report(on: .relay, .live).isHealthy)
        }
    }

    @Test("any name gives a file in the directory, and no other file is touched")
    func names() async throws {
        try await withTemporaryDirectory { directory in
            for name in ["../../etc/shop", "a b", "straße", "%41"] {
                let heartbeat = try HeartbeatFile(.relay, clientID: name, directory: directory)
                heartbeat.record(VitalSign(.ready))
                #expect(Health(clientID: name, directory: directory).report(on: .relay).isHealthy)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).count == 4)
        }
    }

    @Test("an unwritable directory is an error that names the setting")
    func unwritable() {
        let error = #expect(throws: DionysusError.self) {
            try HeartbeatFile(.relay, clientID: "shop", directory: "/dev/null/heartbeats")
        }
        #expect(error?.code == .configuration)
        #expect(error?.description.contains("heartbeatDirectory") == true)
    }

    /// The report on a running relay's heartbeat with modified members.
    private func reason(changing members: [String: JSON]) async throws -> String? {
        try await reason { bytes in
            guard case .object(var object) = try JSON(parsing: bytes) else { return [] }
            for (name, value) in members { object[name] = value }
            return JSON.object(object).bytes
        }
    }

    private func reason(changing change: ([UInt8]) throws -> [UInt8]) async throws -> String? {
        try await withTemporaryDirectory { directory in
            _ = try HeartbeatFile(.relay, clientID: "shop", directory: directory)
            let name = try #require(FileManager.default.contentsOfDirectory(atPath: directory).first)
            let file = URL(filePath: "\(directory)/\(name)")
            try Data(change(Array(Data(contentsOf: file)))).write(to: file)
            return Health(clientID: "shop", directory: directory).report(on: .relay, .live).reason
        }
    }
}

/// The permissions of a file.
func mode(of path: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return (attributes[.posixPermissions] as? NSNumber)?.intValue ?? -1
}
