/* receiver/journal/netfs.c - numbers from linux/magic.h and the file systems' own sources. */
#include "receiver/journal/netfs.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/vfs.h>

static const struct {
    uint32_t type;
    const char *name;
} network[] = {
    { 0x00006969, "nfs" },   { 0xff534d42, "cifs" },   { 0xfe534d42, "smb2" },   { 0x0000517b, "smb" },
    { 0x01021997, "9p" },    { 0x00c36400, "ceph" },   { 0x65735546, "fuse" },   { 0x5346414f, "afs" },
    { 0x6b414653, "kafs" },  { 0x73757245, "coda" },   { 0x0bd00bd0, "lustre" }, { 0x47504653, "gpfs" },
    { 0x01161970, "gfs2" },  { 0x7461636f, "ocfs2" },  { 0x0000564c, "ncp" },    { 0x19830326, "beegfs" },
    { 0xaad7aaea, "panfs" }, { 0x786f4256, "vboxsf" }, { 0xbacbacbc, "vmhgfs" },
};

const char *netfs_name(uint32_t f_type)
{
    for (size_t i = 0; i < sizeof network / sizeof network[0]; i++)
        if (network[i].type == f_type)
            return network[i].name;
    return NULL;
}

enum err_code netfs_refuse(const char *folder, const char *file, struct err *e)
{
    struct statfs fs;
    if (statfs(folder, &fs) < 0)
        return err_set(e, ERR_IO, "journal \"%s\": cannot look at folder \"%s\": %s", file, folder,
                       strerror(errno));
    const char *name = netfs_name((uint32_t)fs.f_type);
    if (!name)
        return ERR_OK;
    return err_set(e, ERR_INVALID,
                   "journal \"%s\" lies on a network or user-space file system (%s), where locks and syncs "
                   "cannot be trusted; put it on a local disk",
                   file, name);
}
