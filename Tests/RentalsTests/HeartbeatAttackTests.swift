import Foundation
import TestSupport
import Testing

/// Heartbeats with another user on the machine, here `postgres`.
@Suite(.serialized, .timeLimit(.minutes(10)), .enabled(if: Bystander.isPossible))
struct HeartbeatAttackTests {
    /// What another user can create in place of the heartbeats' directory.
    enum Squat: String, CaseIterable {
        case open = "mkdir -m 777 NAME"
        case readable = "mkdir -m 755 NAME"
        case closed = "mkdir -m 700 NAME"
        case link = "mkdir -m 777 elsewhere; ln -s elsewhere NAME"
        case dangling = "ln -s nowhere NAME"
        case file = "touch NAME"
    }

    @Test(
        "what another user has created in the directory's place is not used, and stops no relay",
        arguments: Squat.allCases
    )
    func squatted(_ squat: Squat) async throws {
        try await withSharedTemporaryDirectory { directory in
            let usual = "\(directory)/dionysus-\(geteuid())"
            try await Bystander.run(
                "umask 0; cd \(directory); \(squat.rawValue.replacing("NAME", with: usual))"
            )
            try await Installation.with(.embedded) { installation in
                var own = installation
                own.environment["TMPDIR"] = directory
                own.environment["XDG_RUNTIME_DIR"] = ""
                try await own.succeed("migrate")
                let relay = try own.start("relay")
                try await own.wait(for: 0, "health", "relay")
                let contents = try? FileManager.default.contentsOfDirectory(atPath: usual)
                #expect(contents ?? [] == [])
                let stopped = await relay.terminate()
                #expect(stopped.status == 0)
                #expect(stopped.errors.contains("heartbeats are written to \(usual)."), "\(stopped.errors)")
                // The next one uses the same.
                #expect(try await own.run("relay", "--until-empty").status == 0)
                let second = try own.start("relay")
                try await own.wait(for: 0, "health", "relay")
                #expect(await second.terminate().status == 0)
                let names = try FileManager.default.contentsOfDirectory(atPath: directory)
                #expect(names.filter { $0.hasPrefix("dionysus-\(geteuid()).") }.count == 1)
            }
        }
    }

    @Test("another user's forged report is never accepted")
    func forged() async throws {
        try await withSharedTemporaryDirectory { directory in
            let usual = "\(directory)/dionysus-\(geteuid())"
            try await Installation.with(.embedded) { installation in
                var own = installation
                own.environment["TMPDIR"] = directory
                own.environment["XDG_RUNTIME_DIR"] = ""
                try await own.succeed("migrate")
                let relay = try own.start("relay")
                try await own.wait(for: 0, "health", "relay")
                let name = try #require(
                    FileManager.default.contentsOfDirectory(atPath: usual).first { $0.hasSuffix(".json") }
                )
                let report = try String(contentsOfFile: "\(usual)/\(name)", encoding: .utf8)
                let moved = "\(directory)/moved"
                try FileManager.default.moveItem(atPath: usual, toPath: moved)
                #expect(await relay.terminate().status == 0)
                try FileManager.default.removeItem(atPath: usual)

                // Even reports that name a live process: the bystander's own, process 1, and the test's.
                for process in [report, report.replacing(/"pid":\d+/, with: "\"pid\":1")] {
                    try await Bystander.run("umask 0; mkdir -p -m 755 \(usual); cat >\(usual)/\(name)", input: process)
                    let result = try await own.run("health", "relay", "--live")
                    #expect(result.status == 1)
                    #expect(result.errors.contains("there is no heartbeat"), "\(result.errors)")
                }
            }
        }
    }

    @Test("a user's own directory does not make reports of another's processes count")
    func foreignProcess() async throws {
        try await withSharedTemporaryDirectory { directory in
            try await Installation.with(.embedded) { installation in
                var own = installation
                own.environment["DIONYSUS_HEARTBEAT_DIRECTORY"] = "\(directory)/own"
                try await own.succeed("migrate")
                let relay = try own.start("relay")
                try await own.wait(for: 0, "health", "relay")
                await relay.killAndWait()
                let file =
                    try "\(directory)/own/" + #require(
                        FileManager.default.contentsOfDirectory(atPath: "\(directory)/own").first
                    )
                let sleeper = try RunningProcess("setpriv", Bystander.user + ["sleep", "600"], environment: [:])
                let start = try #require(
                    String(contentsOfFile: "/proc/\(sleeper.identifier)/stat", encoding: .utf8)
                        .split(separator: ")").last?
                        .split(separator: " ")[19]
                )
                let report = try String(contentsOfFile: file, encoding: .utf8)
                    .replacing(/"pid":\d+/, with: "\"pid\":\(sleeper.identifier)")
                    .replacing(/"started":"\d+"/, with: "\"started\":\"\(start)\"")
                try Data(report.utf8).write(to: URL(filePath: file))
                // setpriv switches to the other user after it has started.
                let result = try await own.wait(for: 1, "health", "relay", "--live", saying: "is another user's")
                #expect(result.status == 1)
                await sleeper.killAndWait()
            }
        }
    }
}

/// Another user of the machine.
enum Bystander {
    static let user = ["--reuid=postgres", "--regid=postgres", "--clear-groups"]

    static var isPossible: Bool {
        geteuid() == 0 && getpwnam("postgres") != nil
            && FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")
    }

    static func run(_ script: String, input: String = "") async throws {
        let result = try await RunningProcess("setpriv", user + ["sh", "-ec", script], environment: [:], input: input)
            .result()
        #expect(result.status == 0, "\(result.errors)")
    }
}

/// A directory like the system's temporary directory: all users can write to it, and remove only their own files.
func withSharedTemporaryDirectory<T: Sendable>(_ body: (String) async throws -> T) async throws -> T {
    try await withTemporaryDirectory { directory in
        chmod(directory, 0o1777)
        return try await body(directory)
    }
}
