/// The arguments of a program whose declaration is a file.
package struct FileArguments {
    /// The file; nil if none is named.
    package private(set) var path: String?
    /// The command and its arguments.
    package private(set) var rest: [String]

    /// A mistake in the arguments.
    package struct WrongUsage: Error, CustomStringConvertible {
        package let description: String
    }

    /// Takes `-f FILE` off the arguments before the command.
    package init(_ arguments: [String]) throws {
        rest = arguments
        guard let first = arguments.first else { return }
        if first == "-f" || first == "--file" {
            guard arguments.count > 1 else { throw WrongUsage(description: "\(first) needs a file") }
            path = arguments[1]
            rest.removeFirst(2)
        } else if first.hasPrefix("--file=") {
            path = String(first.dropFirst("--file=".count))
            rest.removeFirst()
        }
    }

    /// The command; `help` if there is none.
    package var command: String { rest.first ?? "help" }

    /// Whether nothing but help is asked for.
    package var asksForHelp: Bool {
        ["help", "--help", "-h", "--version", "version"].contains(command) || rest.contains("--help")
            || rest.contains("-h")
    }
}
