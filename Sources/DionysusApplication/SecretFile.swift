import Foundation

/// Files that settings name because what they hold must not stand in the environment.
enum SecretFile {
    /// The secret that a file holds, without a line break at its end.
    /// - Parameters:
    ///   - name: The setting that names the file.
    ///   - faults: Receives what keeps the file from being read.
    static func secret(in path: String, _ name: String, _ faults: inout [String]) -> String? {
        guard let text = text(of: path, name, &faults) else { return nil }
        // A line break of two characters is one `Character`.
        return text.last?.isNewline == true ? String(text.dropLast()) : text
    }

    /// A file's text.
    static func text(of path: String, _ name: String, _ faults: inout [String]) -> String? {
        guard let data = FileManager.default.contents(atPath: path), let text = String(data: data, encoding: .utf8)
        else {
            faults.append("\(name): \(path) can't be read")
            return nil
        }
        return text
    }
}
