# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# What a guest boots: Debian's own kernel and an initial file system of busybox and the modules that
# Soft-RoCE needs. Both come from packages that are unpacked, never installed. Kept in
# $VM_DIR for the next time, by the version of the kernel.

VM_DIR=${VM_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/secure-rdma/vm}
VM_KERNEL=$VM_DIR/kernel VM_INITRD=$VM_DIR/initrd

# Loaded in this order, each after what it needs.
_modules="virtio_pci virtio_console virtio_net 9pnet_virtio 9p crc32_generic
	ib_uverbs ib_umad rdma_ucm rdma_rxe"

# _download PACKAGE: prints the file of it in $VM_DIR.
_download() {
	(cd "$VM_DIR" && apt-get -qq -o APT::Sandbox::User=root download "$1" >&2) || return 1
	find "$VM_DIR" -name "$1_*.deb" | tail -n 1
}

# The package behind the name linux-image-amd64.
_kernel_package() {
	apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-/ { print $2; exit }'
}

# _unpack PACKAGE DIR
_unpack() {
	_deb=$(_download "$1") || return 1
	mkdir -p "$2"
	dpkg-deb -x "$_deb" "$2"
	rm -f "$_deb"
}

# _fetch_kernel: into $VM_DIR/linux; or that of SIW_KERNEL, a directory with boot/ and lib/modules/.
_fetch_kernel() {
	if [ -n "${SIW_KERNEL:-}" ]; then
		VM_LINUX=$SIW_KERNEL
		_modules="$_modules siw"
		return
	fi
	VM_LINUX=$VM_DIR/linux
	_package=$(_kernel_package)
	[ -n "$_package" ] || return 1
	[ "$(cat "$VM_LINUX/package" 2>/dev/null)" = "$_package" ] && return
	rm -rf "$VM_LINUX"
	_unpack "$_package" "$VM_LINUX" && echo "$_package" >"$VM_LINUX/package"
}

# _modules_of VERSION: files of the modules, in the order to load them.
_modules_of() {
	[ -e "$VM_LINUX/lib/modules/$1/modules.dep" ] || depmod -b "$VM_LINUX" "$1"
	for _m in $_modules; do
		modprobe -D -d "$VM_LINUX" -S "$1" "$_m" || echo "no module $_m" >&2
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# _make_initrd VERSION
_make_initrd() {
	_root=$VM_DIR/root
	rm -rf "$_root"
	mkdir -p "$_root/modules" "$_root/proc" "$_root/sys" "$_root/dev" "$_root/host"
	cp "$VM_DIR/busybox/bin/busybox" "$_root/busybox"
	cp "$TOP/tests/vm/init" "$_root/init"
	chmod 755 "$_root/init"
	_modules_of "$1" >"$VM_DIR/modules"
	while read -r _m; do
		cp "$_m" "$_root/modules/"
		echo "/modules/${_m##*/}"
	done <"$VM_DIR/modules" >"$_root/modules/order"
	(cd "$_root" && find . | "$VM_DIR/busybox/bin/busybox" cpio -o -H newc 2>/dev/null) >"$VM_INITRD"
	rm -rf "$_root"
}

# make_image: fails (returns 1, with a message on standard error) where a package cannot be had.
make_image() {
	mkdir -p "$VM_DIR"
	[ -x "$VM_DIR/busybox/bin/busybox" ] || _unpack busybox-static "$VM_DIR/busybox" || return 1
	_fetch_kernel || return 1
	_version=$(ls "$VM_LINUX/lib/modules")
	cp "$VM_LINUX/boot/vmlinuz-$_version" "$VM_KERNEL" && _make_initrd "$_version"
}
